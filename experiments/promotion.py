"""Who becomes champion: the gates that a challenger has to pass, in one place."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from experiments.run import BASELINES
from features.errors import ModelUnavailable, PromotionRefused
from models.tracking import CHALLENGER, CHAMPION, Tracking, Version

MOST_CALIBRATION_ERROR = 0.05
DECISIVE = {"churn": "auc", "next_purchase": "recall_at_10"}
"""The metric that decides."""


@dataclass(frozen=True)
class GateResult:
    """One gate: whether it lets pass, and the figure behind that."""

    gate: str
    passed: bool
    figure: str


Check = Callable[[Version, Version | None], GateResult]


def better_than_baselines(challenger: Version, _champion: Version | None) -> GateResult:
    """At least as good as every baseline on the same holdout."""
    metric = DECISIVE[challenger.model]
    ours = challenger.metrics[metric]
    best, name = max((challenger.metrics[f"baseline.{name}.{metric}"], name) for name in BASELINES[challenger.model])
    return GateResult("better_than_baselines", ours >= best, f"{metric} {ours:.4f}, best baseline {name} {best:.4f}")


def no_worse_than_champion(challenger: Version, champion: Version | None) -> GateResult:
    """No worse than the champion, each on its own holdout, but for noise."""
    metric = DECISIVE[challenger.model]
    ours = challenger.metrics[metric]
    if champion is None:
        return GateResult("no_worse_than_champion", True, f"{metric} {ours:.4f}, no champion yet")
    theirs = champion.metrics[metric]
    return GateResult("no_worse_than_champion", ours >= theirs - 0.01, f"{metric} {ours:.4f}, champion {theirs:.4f}")


def calibrated(challenger: Version, _champion: Version | None) -> GateResult:
    """Forecast probabilities happen as often as they say; a ranker has none."""
    error = challenger.metrics.get("ece")
    if error is None:
        return GateResult("calibrated", True, "a ranking has no probabilities")
    return GateResult("calibrated", error <= MOST_CALIBRATION_ERROR, f"calibration error {error:.4f}, at most {MOST_CALIBRATION_ERROR}")


def owned(challenger: Version, _champion: Version | None) -> GateResult:
    """Somebody answers for the model."""
    owner = challenger.tags.get("owner", "")
    return GateResult("owned", bool(owner), owner or "no owner; state `owner` under [shop] in sayso.toml")


CHECKS: Sequence[Check] = (better_than_baselines, no_worse_than_champion, calibrated, owned)


def judge(tracking: Tracking, model: str, more: Sequence[Check] = ()) -> tuple[Version, list[GateResult]]:
    """The challenger and what each gate says of it. Raises `ModelUnavailable` where there is no challenger."""
    challenger = tracking.by_alias(model, CHALLENGER)
    if challenger is None:
        raise ModelUnavailable(f"there is no challenger for `{model}`; train one with `sayso train {model}`")
    champion = tracking.by_alias(model, CHAMPION)
    return challenger, [check(challenger, champion) for check in (*CHECKS, *more)]


def promote(tracking: Tracking, challenger: Version, results: Sequence[GateResult]) -> Mapping[str, str]:
    """Make the challenger champion; what the gates said is kept with it.

    Raises `PromotionRefused` with the first gate that failed; the champion then stays.
    """
    for result in results:
        if not result.passed:
            raise PromotionRefused(
                f"`{challenger.model}` version {challenger.version} stays a challenger: the gate `{result.gate}` failed ({result.figure})",
                gate=result.gate,
            )
    said = {result.gate: result.figure for result in results}
    tracking.promote(challenger, said)
    return said
