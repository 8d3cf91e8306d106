"""Made-up shops whose customers show beside orders what they do next: models that may see it are
better, and where it tells nothing they are no worse.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import starmap
from pathlib import Path

import numpy as np
import pytest

from experiments.training.task import OURS
from experiments.training.tasks.churn.data import ChurnData
from experiments.training.tasks.churn.task import TASK as CHURN
from experiments.training.tasks.next_purchase.data import RankingData
from experiments.training.tasks.next_purchase.task import TASK as NEXT_PURCHASE
from features.consent.event import ConsentEvent
from features.definitions.frames import reads_of
from features.intake.ingest import ingest
from features.intake.setup.new_workspace import create
from features.shop.shop import Shop
from features.shop.workspace import Workspace
from features.synthetic.consents import choices
from features.synthetic.presets import ENGAGED, UNCONCERNED
from features.synthetic.shop import Preset

pytestmark = [pytest.mark.slow, pytest.mark.early]

NOW = datetime(2025, 1, 1, tzinfo=UTC)
CUSTOMERS = 600
SEEDS = (1, 2, 3)
AUC_GAIN, RECALL_RATIO = 0.01, 1.02
NOISE = 0.01
"""By how much a mean over the seeds may lie lower by chance."""


@dataclass(frozen=True)
class Judged:
    """AUC of churn and recall@10 of the ranker, without the features beside orders and with."""

    auc: tuple[float, float]
    recall: tuple[float, float]


def beside_orders(features: Sequence[str]) -> set[str]:
    """Those of `features` that read interactions."""
    return {
        name
        for name in features
        if any(field.startswith("interactions") for field in reads_of(name))
    }


def opened(preset: Preset, seed: int, folder: Path) -> Shop:
    """The shop of a seed, loaded, whose customers grant everything; who orders nothing for a month
    has left.
    """
    create(folder / "shop", preset.draw(seed).write_all(folder), lambda: NOW)
    file = folder / "shop/sayso.toml"
    file.write_text(file.read_text().replace("horizon_days = 90", "horizon_days = 30"))
    shop = Shop(Workspace.open(folder / "shop"), lambda: NOW)
    ingest(shop.workspace, shop.database, clock=shop.clock)
    ids = [preset.customer_id(number) for number in range(preset.customers)]
    said = choices(shop.config.catalog, ids, lambda _number, _categories: ())
    shop.ledger.append_all(list(starmap(ConsentEvent, said)))
    return shop


def auc_of(shop: Shop, features: Sequence[str]) -> float:
    """Of the churn model with these features, on the newest horizon."""
    data = ChurnData.of(shop, features)
    fitted = CHURN.fit(data, CHURN.default_settings())
    return CHURN.judge(data, fitted).comparison[OURS]["auc"]


def recall_of(data: RankingData) -> float:
    """Of the ranker, on the newest orders."""
    fitted = NEXT_PURCHASE.fit(data, NEXT_PURCHASE.default_settings())
    return NEXT_PURCHASE.judge(data, fitted).comparison[OURS]["recall@10"]


def judged(preset: Preset, seed: int, folder: Path) -> Judged:
    """Both models with and without what customers do beside ordering."""
    shop = opened(replace(preset, customers=CUSTOMERS), seed, folder)
    every = shop.config.models.churn.features
    of_orders = [name for name in every if name not in beside_orders(every)]
    data = RankingData.of(shop)
    kept = tuple(n for n in data.purchases.features if n not in beside_orders(data.features))
    plain = replace(data.purchases, features=kept)
    without = replace(
        data,
        purchases=plain,
        known=[plain.examples(begin)[0] for begin in data.begins],
        judged=plain.examples(data.holdout)[0],
    )
    assert len(kept) < len(data.features)
    return Judged(
        (auc_of(shop, of_orders), auc_of(shop, every)), (recall_of(without), recall_of(data))
    )


@pytest.fixture
def all_of(tmp_path: Path) -> Callable[[Preset], list[Judged]]:
    """The shops of all seeds."""

    def over_seeds(preset: Preset) -> list[Judged]:
        folders = [tmp_path / str(seed) for seed in SEEDS]
        for folder in folders:
            folder.mkdir()
        return [judged(preset, *which) for which in zip(SEEDS, folders, strict=True)]

    return over_seeds


def gains(found: Sequence[Judged]) -> tuple[float, float]:
    """By how much AUC is higher, and how many times as high recall is, on average over seeds."""
    auc = np.mean([after - before for before, after in (each.auc for each in found)])
    recall = np.mean([after / before for before, after in (each.recall for each in found)])
    return float(auc), float(recall)


def test_what_customers_do_beside_ordering_helps(
    all_of: Callable[[Preset], list[Judged]],
) -> None:
    """With planted effects AUC is at least .01 and recall at least 2% higher."""
    auc, recall = gains(all_of(ENGAGED))
    assert auc >= AUC_GAIN
    assert recall >= RECALL_RATIO


def test_what_tells_nothing_does_no_harm(all_of: Callable[[Preset], list[Judged]]) -> None:
    """Where interactions are drawn by chance, models that see them are as good but for noise."""
    auc, recall = gains(all_of(UNCONCERNED))
    assert auc >= -NOISE
    assert recall >= 1 - 3 * NOISE
