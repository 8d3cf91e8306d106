"""Which versions of the models learnt from customers who have taken their consent back since, and when these have to go."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from experiments.promotion import Check, GateResult
from features import clock
from features.shop import Shop
from features.training_sets import TrainingSet, read_all, withdrawn_since
from models.tracking import Tracking, Version

MODELS = ("churn", "next_purchase")


@dataclass(frozen=True)
class VersionStatus:
    """One version and how fresh it is.

    `customers` it learnt from (None: not known), how many of them have `withdrawn` since, and until when it has to be replaced
    (None: no reason to).
    """

    version: Version
    aliases: tuple[str, ...]
    ledger_seq: int | None
    customers: int | None
    withdrawn: int
    retrain_by: str | None
    overdue: bool


def model_status(shop: Shop, tracking: Tracking) -> list[VersionStatus]:
    """Every version of both models, newest first."""
    with shop.database.read() as connection:
        trained = {one.run_id: one for one in read_all(connection)}
    return [
        _status(shop, version, aliases, trained.get(version.run_id)) for model in MODELS for version, aliases in tracking.versions(model)
    ]


def fresh(shop: Shop) -> Check:
    """The gate that a version passes only if nobody whom it learnt from has withdrawn since."""

    def check(challenger: Version, _champion: Version | None) -> GateResult:
        with shop.database.read() as connection:
            trained = next((one for one in read_all(connection) if one.run_id == challenger.run_id), None)
        if trained is None:
            return GateResult("fresh", False, "it is not known whom it learnt from; train it again")
        status = _status(shop, challenger, (), trained)
        return GateResult("fresh", not status.withdrawn, f"{status.withdrawn:,} of {status.customers:,} customers withdrew since")

    return check


def _status(shop: Shop, version: Version, aliases: tuple[str, ...], trained: TrainingSet | None) -> VersionStatus:
    if trained is None:
        return VersionStatus(version, aliases, None, None, 0, None, overdue=False)
    with shop.database.read() as connection:
        withdrawn, since = withdrawn_since(connection, trained)
    if since is None:
        return VersionStatus(version, aliases, trained.ledger_seq, len(trained.customers), 0, None, overdue=False)
    by = clock.from_text(since) + timedelta(days=shop.config.models.retrain_within_days)
    return VersionStatus(
        version, aliases, trained.ledger_seq, len(trained.customers), withdrawn, clock.to_text(by), overdue=by < shop.clock()
    )
