"""One champion after another: promotion past the gates, an override with its reason, and the way
back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from experiments.promotion.gates import NEVER_OVERRIDDEN, GateResult
from experiments.promotion.withdrawn_since import freshness
from features import clock
from features.errors import ModelUnavailable, SaysoError
from features.shop.shop import Shop
from models.registry import CHAMPION, Version
from models.tracking import BEFORE, Tracking

LONGEST_REASON = 500
ROLLED_BACK = "rolled_back"
"""Tags of a version that another one made way for, or that made way itself."""


class PromotionRefused(SaysoError):
    """A gate failed. `gate` is its name."""

    def __init__(self, message: str, *, gate: str) -> None:
        super().__init__(message)
        self.gate = gate


def promote(
    tracking: Tracking,
    challenger: Version,
    results: Sequence[GateResult],
    now: datetime,
    reason: str | None = None,
) -> Mapping[str, str]:
    """Make the challenger champion; what the gates said is kept with it, and a `reason` to do so in
    spite of some.

    Raises `PromotionRefused` with the first gate that failed; the champion then stays.
    """
    failed = [result for result in results if not result.passed]
    if reason is not None:
        _require_reason(reason)
    standing = next(
        (result for result in failed if reason is None or result.gate in NEVER_OVERRIDDEN), None
    )
    if standing is not None:
        never = "" if reason is None else "; no reason overrides this gate: train the model again"
        found = f"the gate `{standing.gate}` failed ({standing.figure}){never}"
        raise PromotionRefused(
            f"`{challenger.model}` version {challenger.version} stays a challenger: {found}",
            gate=standing.gate,
        )
    override: dict[str, str] = {}
    if reason is not None and failed:
        override = {
            "reason": reason,
            "gates": ", ".join(result.gate for result in failed),
            "at": clock.to_text(now),
        }
    tracking.promote(challenger, {result.gate: result.figure for result in results}, override)
    return override


def _require_reason(reason: str) -> None:
    if not reason.strip() or len(reason) > LONGEST_REASON:
        raise PromotionRefused(
            f"an override needs a reason that others can read later, of 1 to {LONGEST_REASON}"
            f" characters, and this one has {len(reason.strip())}; the champion stays",
            gate="override",
        )


def roll_back(shop: Shop, tracking: Tracking, model: str) -> tuple[Version, Version]:
    """Put the version back that was champion before; returns who was champion and who is now.

    Raises `PromotionRefused` where there was none, or customers whom it learnt from have withdrawn
    since, and `ModelUnavailable` where its files are gone; the champion then stays.
    """
    champion = tracking.by_alias(model, CHAMPION)
    if champion is None:
        raise ModelUnavailable(
            f"there is no champion for `{model}`, so there is nothing to go back from"
        )
    if BEFORE not in champion.tags:
        raise PromotionRefused(
            f"no version of `{model}` was champion before version {champion.version}, so there is"
            " none to go back to",
            gate="rollback",
        )
    before = tracking.version(model, champion.tags[BEFORE])
    status = freshness(shop, before)
    if status.withdrawn or status.customers is None:
        why = (
            "it is not known whom it learnt from"
            if status.customers is None
            else f"{status.withdrawn:,} of its customers withdrew since"
        )
        raise PromotionRefused(
            f"`{model}` version {before.version} was champion before, but {why}; version"
            f" {champion.version} stays. Train a new one with `sayso train {model}`",
            gate="fresh",
        )
    tracking.folder(before)
    tracking.reinstate(
        before,
        {
            ROLLED_BACK: (
                f"back in office for version {champion.version} at {clock.to_text(shop.clock())}"
            )
        },
    )
    return champion, before
