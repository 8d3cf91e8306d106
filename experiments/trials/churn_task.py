"""What the churn model has to learn, by `sayso.toml`."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.trials.lineage import Lineage
from features.definitions.frames import reads_of
from features.shop.shop import Shop
from models.churn.settings import ChurnTask
from models.masking import Masking


def churn_lineage(shop: Shop, features: Sequence[str] | None = None) -> Lineage:
    """What each churn feature reads: those of `sayso.toml`, or others."""
    return Lineage(
        shop.config.catalog,
        {name: reads_of(name) for name in features or shop.config.models.churn.features},
    )


def churn_task(shop: Shop, features: Sequence[str] | None = None) -> ChurnTask:
    """The task with the features of `sayso.toml`, or with others."""
    section, catalog, lineage = (
        shop.config.models.churn,
        shop.config.catalog,
        churn_lineage(shop, features),
    )
    masking = Masking.of(
        [catalog.categories_of(fields) for fields in lineage.reads.values()],
        catalog.askable(section.purpose),
    )
    return ChurnTask(tuple(lineage.reads), masking, lineage.category_of, section.horizon_days)
