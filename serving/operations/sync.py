"""Everything that a shop does once a day: load what is new, refresh, delete what is past its
retention, train where that is due, and promote what passes its gates.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta

from experiments.promotion.gates import judge
from experiments.promotion.rollout import PromotionRefused, promote
from experiments.promotion.withdrawn_since import freshness
from experiments.training.registry import task, task_names
from experiments.training.train import train
from features.errors import SaysoError, TrainingError
from features.intake.ingest import ingest
from features.intake.ingest_report import IngestReport
from features.progress import Progress, part_of
from features.shop.online import refresh_online
from features.shop.shop import Shop
from models.registry import CHAMPION
from models.tracking import Tracking
from serving.rights.upkeep import UpkeepReport, upkeep

LOADED, REFRESHED, KEPT_UP = 0.2, 0.3, 0.4


@dataclass(frozen=True)
class ModelSync:
    """What became of one model: why training was `due` (None: it was not), and how it ended:
    `promoted`, `kept` (a gate refused the new version) or `failed`, with the reason.
    """

    model: str
    due: str | None
    outcome: str = "not due"
    reason: str = ""


@dataclass(frozen=True)
class SyncReport:
    """What a sync did. Where a part failed the others were done all the same."""

    ingest: IngestReport | None
    upkeep: UpkeepReport | None
    models: tuple[ModelSync, ...]
    faults: tuple[str, ...] = field(default=())

    @property
    def complete(self) -> bool:
        """Whether every part was done; a gate that refuses a version has done its part."""
        return not self.faults and all(one.outcome != "failed" for one in self.models)


def sync(shop: Shop, progress: Progress, accept: float) -> SyncReport:
    """Load, refresh, keep up, train what is due and promote it past its gates.

    A part that fails is told in the report, and the ones after it are done.
    """
    faults: list[str] = []
    loaded = deleted = None
    try:
        loading = part_of(progress, 0.0, LOADED)
        loaded = ingest(shop.workspace, shop.database, loading, shop.clock, accept)
        progress("making online features", LOADED)
        refresh_online(shop)
    except SaysoError as error:
        faults.append(str(error))
    try:
        deleted = upkeep(shop, part_of(progress, REFRESHED, KEPT_UP))
    except SaysoError as error:
        faults.append(str(error))
    tracking = Tracking.of(shop.workspace, shop.database)
    return SyncReport(loaded, deleted, tuple(_models(shop, tracking, progress)), tuple(faults))


def due(shop: Shop, tracking: Tracking, model: str) -> str | None:
    """Why a model has to be trained now; None where it has not."""
    champion = tracking.by_alias(model, CHAMPION)
    if champion is None:
        return "there is no champion"
    status = freshness(shop, champion)
    if status.withdrawn:
        return f"{status.withdrawn:,} customers whom it learnt from withdrew"
    age = shop.clock() - champion.trained_at
    if age > timedelta(days=shop.config.models.retrain_every_days):
        return f"it was trained {age.days} days ago"
    return None


def _models(shop: Shop, tracking: Tracking, progress: Progress) -> Iterator[ModelSync]:
    names = task_names()
    for position, model in enumerate(names):
        share = (1 - KEPT_UP) / len(names)
        begin = KEPT_UP + share * position
        why = due(shop, tracking, model)
        if why is None:
            yield ModelSync(model, None)
        else:
            yield _trained(shop, tracking, model, why, part_of(progress, begin, begin + share))


def _trained(shop: Shop, tracking: Tracking, model: str, why: str, progress: Progress) -> ModelSync:
    try:
        train(task(model), shop, tracking, progress)
        challenger, results = judge(shop, tracking, model)
        promote(tracking, challenger, results, shop.clock())
    except PromotionRefused as error:
        return ModelSync(model, why, "kept", str(error))
    except (TrainingError, SaysoError) as error:
        return ModelSync(model, why, "failed", str(error))
    return ModelSync(model, why, "promoted")
