"""Who may become champion: the gates that a challenger has to pass, in one place.

A gate reads figures that training measured and logged, so that whoever looks at a version sees what
decided. Each is aware of noise: it refuses for what chance does not explain.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf, isnan
from typing import TYPE_CHECKING, Any

from experiments.audits.consent_patterns import MOST_CALIBRATION_ERROR
from experiments.audits.groups import AUDITED_ON, fairness_gaps
from experiments.promotion.oddities import odd_figures, odd_record
from experiments.promotion.withdrawn_since import VersionStatus, freshness
from experiments.training.registry import task
from experiments.trials.champion_recipe import Against
from experiments.trials.paired_difference import paired_difference
from features.config.schema import Audit
from features.errors import ModelUnavailable
from features.shop.shop import Shop
from models.registry import CHALLENGER, CHAMPION, Version
from models.tracking import Tracking

if TYPE_CHECKING:
    from experiments.training.task import Task

MOST_ADDITIVITY_ERROR = 1e-6
NEVER_OVERRIDDEN = ("explainable", "fresh")
"""Gates that stand whatever the reason: what cannot be explained is not released, and what was
taken back is not used.
"""


@dataclass(frozen=True)
class GateResult:
    """One gate: whether it lets pass, and the figure behind that."""

    gate: str
    passed: bool
    figure: str


@dataclass(frozen=True)
class Candidacy:
    """A challenger before the gates: who is champion now, who of the customers of both withdrew
    since, and the audit's limits.
    """

    challenger: Version
    champion: Version | None
    status: VersionStatus
    champion_withdrawn: int
    limits: Audit
    oddities: tuple[str, ...] = ()
    """What looks impossible in the record of the shop."""

    @property
    def task(self) -> Task[Any, Any, Any, Any, Any]:
        """The task of the challenger's model: its baselines, and the metric that decides."""
        return task(self.challenger.model)


Gate = Callable[[Candidacy], GateResult]


def better_than_baselines(case: Candidacy) -> GateResult:
    """No worse beyond noise than any baseline on the same holdout."""
    metric, metrics = case.task.decisive, case.challenger.metrics
    ours, baselines = metrics[metric], case.task.baselines
    best, name = max((metrics[f"baseline.{name}.{metric}"], name) for name in baselines)
    leads = {other: paired_difference(metrics, other, metric) for other in baselines}
    behind = [
        other
        for other, found in leads.items()
        if (metrics[f"baseline.{other}.{metric}"] > ours if found is None else found[2] < 0)
    ]
    told, sure = f"{metric} {ours:.4f}, best baseline {name} {best:.4f}", leads[name]
    interval = (
        "" if sure is None else f" (lead {sure[1]:+.4f}, 95%: {sure[0]:+.4f} to {sure[2]:+.4f})"
    )
    return GateResult("better_than_baselines", not behind, told + interval)


def better_than_champion(case: Candidacy) -> GateResult:
    """Better than the champion's recipe beyond noise, fitted on the same rows and judged on the
    same holdout.

    No worse beyond noise is enough for a refresh, which is the same recipe on newer data, and where
    the champion has to be replaced since customers whom it learnt from withdrew.
    """
    metric, champion = case.task.decisive, case.champion
    if champion is None or champion.version == case.challenger.version:
        said = "no champion yet" if champion is None else "it is the champion"
        return GateResult(
            "better_than_champion", True, f"{metric} {case.challenger.metrics[metric]:.4f}, {said}"
        )
    against = Against.read(case.challenger, champion.version, metric)
    if against.interval is None:
        return GateResult(
            "better_than_champion",
            False,
            f"not compared with version {champion.version}: {against.note}",
        )
    low, middle, high = against.interval
    excuses = {
        "a refresh": against.refresh,
        f"{case.champion_withdrawn:,} customers of the champion withdrew": (
            case.champion_withdrawn > 0
        ),
    }
    excuse = next((said for said, holds in excuses.items() if holds), "")
    figure = (
        f"{metric} {middle:+.4f} (95%: {low:+.4f} to {high:+.4f}) against version"
        f" {champion.version}'s recipe"
    )
    told = "; ".join(part for part in (figure, excuse, against.note) if part)
    return GateResult("better_than_champion", low > 0 or (bool(excuse) and high >= 0), told)


def calibrated(case: Candidacy) -> GateResult:
    """Forecast probabilities happen as often as they say, whatever is withheld; a ranker has none.

    An error is too large where it is above what forecasts that are off by the limit show in 95 of
    100 samples of as many customers (`models.metrics.most_calibration_error_by_chance`): then
    chance does not explain it.
    """
    metrics, end = case.challenger.metrics, "ece_at_limit"
    allowed = {name.removesuffix(end): most for name, most in metrics.items() if name.endswith(end)}
    if not allowed:
        needed = case.task.forecasts_probabilities
        return GateResult(
            "calibrated",
            not needed,
            "it was not measured; train it again" if needed else "a ranking has no probabilities",
        )
    excess = {
        pattern: inf if isnan(metrics[f"{pattern}ece"]) else metrics[f"{pattern}ece"] - most
        for pattern, most in allowed.items()
    }
    worst = max(excess, key=lambda pattern: excess[pattern])
    when = worst.rstrip(".").replace("_", " ") or "all granted"
    by_chance = metrics.get(f"{worst}ece_by_chance")
    alone = "" if by_chance is None else f"; chance alone gives about {by_chance:.4f}"
    figure = (
        f"calibration error {metrics[f'{worst}ece']:.4f} ({when}, the worst of"
        f" {len(allowed)}{alone})"
    )
    told = f"{figure}; {MOST_CALIBRATION_ERROR} and chance explain {allowed[worst]:.4f}"
    passed = excess[worst] <= 0
    return GateResult(
        "calibrated",
        passed,
        (
            told
            if passed
            else told + _why_off(metrics[f"{worst}ece"], metrics.get(f"{worst}bias", 0.0))
        ),
    )


def _why_off(error: float, bias: float) -> str:
    """Where most of a calibration error is the level of all forecasts: why that may be and what to
    do.
    """
    direction = "high" if bias > 0 else "low"
    if abs(bias) > error / 2:
        return (
            f". All forecasts together were {abs(bias):.3f} too {direction}, as where the newest"
            " period is unlike those before it, like a season that the record holds once. Train"
            " again when it has passed, or override with that reason"
        )
    return ""


def fair(case: Candidacy) -> GateResult:
    """No gap between groups of the audited attributes is beyond its limit beyond noise."""
    gaps = fairness_gaps(case.challenger.metrics)
    if not gaps:
        return GateResult(
            "fair",
            True,
            case.challenger.tags.get(AUDITED_ON)
            or "not audited: no attribute with two groups large enough",
        )
    over = [(gap.low - case.limits.most(gap.measure), gap) for gap in gaps]
    excess, worst = max(over, key=lambda pair: pair[0])
    figure = (
        f"{worst.measure} gap {worst.gap:.3f} by {worst.attribute} (95%: {worst.low:.3f} to"
        f" {worst.high:.3f})"
    )
    return GateResult(
        "fair", excess <= 0, f"{figure}, at most {case.limits.most(worst.measure)} beyond noise"
    )


def explainable(case: Candidacy) -> GateResult:
    """Contributions add up to the answer, what is withheld contributes nothing and changes nothing,
    every feature has a category.
    """
    measured = {
        name: case.challenger.metrics.get(f"explainable.{name}")
        for name in ("additivity", "withheld", "without_category")
    }
    if None in measured.values():
        return GateResult(
            "explainable",
            False,
            case.challenger.tags.get("explainable", "it was not measured; train it again"),
        )
    error, leak, nameless = (float(value or 0) for value in measured.values())
    figure = (
        f"additive to {error:.1e}, withheld contributes {leak:g}, {nameless:.0f} features without"
        " category"
    )
    return GateResult(
        "explainable", error <= MOST_ADDITIVITY_ERROR and leak == 0 and nameless == 0, figure
    )


def fresh(case: Candidacy) -> GateResult:
    """Nobody whom it learnt from has withdrawn since."""
    status = case.status
    if status.customers is None:
        return GateResult("fresh", False, "it is not known whom it learnt from; train it again")
    return GateResult(
        "fresh",
        not status.withdrawn,
        f"{status.withdrawn:,} of {status.customers:,} customers withdrew since",
    )


def owned(case: Candidacy) -> GateResult:
    """Somebody answers for the model."""
    owner = case.challenger.tags.get("owner", "")
    return GateResult(
        "owned", bool(owner), owner or "no owner; state `owner` under [shop] in sayso.toml"
    )


def plausible(case: Candidacy) -> GateResult:
    """Nothing looks impossible: neither a figure that is too good, nor the shop's record."""
    found = [*odd_figures(case.challenger.metrics), *case.oddities]
    return GateResult("plausible", not found, "; ".join(found) or "nothing looks impossible")


GATES: Sequence[Gate] = (
    plausible,
    better_than_baselines,
    better_than_champion,
    calibrated,
    fair,
    explainable,
    fresh,
    owned,
)


def judge(shop: Shop, tracking: Tracking, model: str) -> tuple[Version, list[GateResult]]:
    """The challenger and what each gate says of it.

    Raises `ModelUnavailable` where there is none, or its files cannot be read.
    """
    challenger = tracking.by_alias(model, CHALLENGER)
    if challenger is None:
        raise ModelUnavailable(
            f"there is no challenger for `{model}`; train one with `sayso train {model}`"
        )
    tracking.folder(challenger)  # raises what is the matter with its files
    champion = tracking.by_alias(model, CHAMPION)
    withdrawn = 0 if champion is None else freshness(shop, champion).withdrawn
    case = Candidacy(
        challenger,
        champion,
        freshness(shop, challenger),
        withdrawn,
        shop.config.audit,
        tuple(odd_record(shop)),
    )
    return challenger, [gate(case) for gate in GATES]
