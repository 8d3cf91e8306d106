"""The next-purchase champion's recipe on the orders of a challenger's trial."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from experiments.trials.champion_recipe import Recipe, compared, impossible
from experiments.trials.findings import Findings
from experiments.trials.lineage import reads_by
from experiments.trials.paired_bootstrap import drawn_means
from experiments.trials.top_products import ranked_products
from features.definitions.frames import features_for
from features.errors import FeatureError, ModelUnavailable, TrainingError
from features.shop.shop import Shop
from models.arrays import Floats
from models.metrics import ranking_by_customer
from models.next_purchase.examples import PurchaseData, history_masking
from models.next_purchase.model import NextPurchaseModel
from models.next_purchase.ranker import Examples, NextPurchaseSettings, fit_next_purchase
from models.registry import CHAMPION
from models.tracking import Tracking

SEED = 7


@dataclass(frozen=True)
class RankingTrial:
    """The blocks of orders that a ranker learns from (`known`, newest first) and is judged by, and
    what these then held.
    """

    data: PurchaseData
    past: Sequence[datetime]
    holdout: datetime
    known: Sequence[Examples]
    judged: Examples
    truth: Sequence[set[str]]


def ranking_against_champion(
    shop: Shop,
    tracking: Tracking,
    trial: RankingTrial,
    ours: dict[str, Floats],
    settings: NextPurchaseSettings,
    k: int,
) -> Findings:
    """How the challenger's metrics by customer compare with those of the champion's recipe; nothing
    without a champion.
    """
    champion = tracking.by_alias("next_purchase", CHAMPION)
    if champion is None:
        return Findings()
    purpose = trial.data.gate.purpose
    try:
        maker = NextPurchaseModel.load(tracking.folder(champion)).maker
        stated_features = (*maker.history, *maker.customer)
        recipe = Recipe.of(
            champion, stated_features, features_for(shop.config.catalog, "next_purchase", purpose)
        )
        data = replace(trial.data, features=recipe.features)
        if not data.history:
            return impossible(
                champion.version,
                "of its features of what customers bought the catalog offers none any more",
            )
        stated = recipe.settings(settings)
        own = trial.data
        refresh = stated == settings and stated_features == (*own.history, *own.customer)
        theirs = ours if refresh else _by_customer(shop, data, trial, stated, k)
    except (ModelUnavailable, TrainingError, FeatureError, ValueError) as error:
        return impossible(champion.version, f"its recipe cannot be fitted: {error}")
    return compared(
        recipe,
        {name: drawn_means(values - theirs[name], SEED) for name, values in ours.items()},
        refresh=refresh,
    )


def _by_customer(
    shop: Shop, data: PurchaseData, trial: RankingTrial, settings: NextPurchaseSettings, k: int
) -> dict[str, Floats]:
    """Metrics by customer of a model made as the champion was."""
    known, judged = trial.known, trial.judged
    if data.features != trial.data.features:
        known, judged = (
            [data.examples(begin)[0] for begin in trial.past],
            data.examples(trial.holdout)[0],
        )
    catalog = shop.config.catalog
    category_of = {
        name: catalog.category_of(fields) for name, fields in reads_by(judged.maker).items()
    }
    masking = history_masking(data, catalog.askable(data.gate.purpose))
    model = fit_next_purchase(known, judged.maker, masking, category_of, settings)
    return ranking_by_customer(ranked_products(model, judged.histories, k), trial.truth, k)
