"""Which versions of the models learnt from customers who have taken their consent back since, and
when these have to go.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from experiments.training.registry import task_names
from features import clock
from features.consent.training_sets import TrainingSet, read_all, withdrawn_since
from features.shop.shop import Shop
from models.registry import Version
from models.tracking import Tracking


@dataclass(frozen=True)
class VersionStatus:
    """One version and how fresh it is.

    `customers` it learnt from (None: not known), how many of them have `withdrawn` since, and until
    when it has to be replaced (None: no reason to).
    """

    version: Version
    aliases: tuple[str, ...]
    ledger_seq: int | None
    customers: int | None
    withdrawn: int
    retrain_by: str | None
    overdue: bool


def model_status(shop: Shop, tracking: Tracking) -> list[VersionStatus]:
    """Every version of each model, newest first."""
    with shop.database.read() as connection:
        trained = read_all(connection)
    return [
        _status(shop, version, aliases, trained)
        for model in task_names()
        for version, aliases in tracking.versions(model)
    ]


def freshness(shop: Shop, version: Version) -> VersionStatus:
    """How fresh one version is; whoever holds which alias is left out."""
    with shop.database.read() as connection:
        trained = read_all(connection)
    return _status(shop, version, (), trained)


def _status(
    shop: Shop, version: Version, aliases: tuple[str, ...], trained: Sequence[TrainingSet]
) -> VersionStatus:
    sets = [one for one in trained if one.run_id == version.run_id]
    if not sets:
        return VersionStatus(version, aliases, None, None, 0, None, overdue=False)
    seq, customers = (
        sets[0].ledger_seq,
        len(np.unique(np.concatenate([one.customers for one in sets]))),
    )
    with shop.database.read() as connection:
        withdrawn, since = withdrawn_since(connection, sets)
    if since is None:
        return VersionStatus(version, aliases, seq, customers, 0, None, overdue=False)
    by = clock.from_text(since) + timedelta(days=shop.config.models.retrain_within_days)
    return VersionStatus(
        version, aliases, seq, customers, withdrawn, clock.to_text(by), overdue=by < shop.clock()
    )
