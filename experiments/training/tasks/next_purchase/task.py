"""The next-purchase model as a task."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.sparse as sp

from experiments.audits.basket_completion import basket_completion_figures
from experiments.audits.consent_patterns import ranking_by_pattern
from experiments.audits.explainability import Score, ToExplain, candidates_to_explain
from experiments.audits.fairness import audit_ranking, fairness_findings
from experiments.audits.groups import audited_groups
from experiments.training.task import OURS, Judged, PlainFit, Task
from experiments.training.tasks.next_purchase.card import CARD
from experiments.training.tasks.next_purchase.data import RankingData
from experiments.trials.baselines import item_knn, personal_frequency, popular
from experiments.trials.champion_recipe import Recipe
from experiments.trials.findings import Findings
from experiments.trials.paired_bootstrap import drawn_means
from experiments.trials.paired_difference import ranking_differences
from experiments.trials.top_products import ranked_products
from experiments.trials.tuning import NEXT_PURCHASE_SPACE
from features.definitions.frames import features_for, is_of_history
from features.errors import TrainingError
from features.shop.shop import Shop
from models.arrays import Floats
from models.metrics import ranking_by_customer, ranking_metrics
from models.next_purchase.model import NextPurchaseModel
from models.next_purchase.product_statistics import ProductStatistics
from models.next_purchase.ranker import NextPurchaseSettings

K = 10
"""So many products are suggested to each customer where a model is judged."""
SEED = 7
Rankings = Sequence[Sequence[str]]
"""For each judged order the products suggested, best first."""
RankerFit = PlainFit[NextPurchaseModel]

SECONDS = {
    "data": 12.0,
    "attempt": 21.1,
    "fit": 55.4,
    "judge": 2.5,
    "refit": 61.2,
    "audit": 7.3,
    "record": 2.2,
}


class NextPurchase(Task[NextPurchaseSettings, RankingData, RankerFit, NextPurchaseModel, Rankings]):
    """Which products a customer is likely to want next."""

    name = "next_purchase"
    decisive = f"recall_at_{K}"
    baselines = ("popular", "personal_frequency", "item_knn")
    printed = (f"recall@{K}", f"ndcg@{K}", f"phr@{K}")
    card = CARD
    space = NEXT_PURCHASE_SPACE
    forecasts_probabilities = False
    seconds = SECONDS

    def default_settings(self) -> NextPurchaseSettings:
        """Those that did best on public data."""
        return NextPurchaseSettings()

    def data(self, shop: Shop) -> RankingData:
        """The last order of each customer in the newest time window, and in those before it."""
        return RankingData.of(shop)

    def attempt_loss(self, data: RankingData) -> Callable[[NextPurchaseSettings], float]:
        """The share of what the newest known orders held that a ranker misses which learnt from the
        earlier ones alone.

        Raises `TrainingError` where there are no earlier ones.
        """
        newest, *earlier = data.known
        if not earlier:
            raise TrainingError(
                "the history is too short to try settings on: before the newest time window of"
                " orders there have to be two, one to learn from and one to judge by. Load more"
                " history, or train without trials."
            )

        def loss(settings: NextPurchaseSettings) -> float:
            model = data.fit(earlier, newest.maker, settings)
            answers = ranked_products(model, newest.histories, K)
            return 1 - ranking_metrics(answers, data.newest_known, K)[f"recall@{K}"]

        return loss

    def fit(self, data: RankingData, settings: NextPurchaseSettings) -> RankerFit:
        """Fit on the orders before the holdout."""
        return PlainFit(data.fit(data.known, data.judged.maker, settings))

    def judge(self, data: RankingData, fitted: RankerFit) -> Judged[Rankings]:
        """Beside best sellers, each customer's own products, and what is bought along with them."""
        statistics, judged = data.judged.maker.statistics, data.judged
        before = _bought_before(data.purchases.orders, data.holdout, statistics)
        answers = {
            OURS: self.answers(data, fitted),
            "popular": popular(statistics, data.judged_count, K),
            "personal_frequency": personal_frequency(judged, K),
            "item_knn": item_knn(judged, before, K),
        }
        comparison = {
            method: ranking_metrics(answer, data.truth, K) for method, answer in answers.items()
        }
        return Judged(answers, comparison, ranking_differences(answers, data.truth, K))

    def refit(
        self, data: RankingData, fitted: RankerFit, settings: NextPurchaseSettings
    ) -> NextPurchaseModel:
        """Fit on the newest time windows; the model serves with today's statistics."""
        windows = [data.judged, *data.known[: data.purchases.windows.count - 1]]
        return data.fit(windows, data.purchases.maker(data.until), settings)

    def audits(self, data: RankingData, fitted: RankerFit, judged: Judged[Rankings]) -> Findings:
        """Recall by consent pattern, for orders of which a part is in the basket, and by group."""
        audit = data.shop.config.audit
        groups = audited_groups(data.shop, data.asked).at(data.asked)
        recall = ranking_by_customer(judged.ours, data.truth, K)[f"recall@{K}"]
        audited = audit_ranking(groups, recall, audit.fewest_customers)
        return Findings.together(
            [
                ranking_by_pattern(fitted.model, data.judged, judged.ours, data.truth, K),
                basket_completion_figures(fitted.model, data.judged, K),
                fairness_findings(audited, data.shop.config.audited, audit.fewest_customers),
            ]
        )

    def explained(self, data: RankingData, model: NextPurchaseModel) -> tuple[ToExplain, Score]:
        """Candidates of some judged customers, and their ranking scores."""
        catalog = data.shop.config.catalog
        needed = {
            name: catalog.categories_of(fields) for name, fields in data.lineage.reads.items()
        }
        return candidates_to_explain(model, data.judged, needed), model.score

    def parameters(self, data: RankingData, model: NextPurchaseModel) -> Mapping[str, object]:
        """How many time windows are learnt from, how long they are, and what counts as sold."""
        return {
            "blocks": len(data.known),
            "block_days": data.purchases.windows.days,
            "sold_within_days": data.purchases.sold_within_days,
        }

    def stated_features(self, folder: Path) -> tuple[str, ...]:
        """Features of a history, then features of a customer."""
        maker = NextPurchaseModel.load(folder).maker
        return (*maker.history, *maker.customer)

    def offered(self, data: RankingData) -> Collection[str]:
        """Features of histories and customers that the catalog's fields allow."""
        catalog = data.shop.config.catalog
        return features_for(catalog, "next_purchase", data.gate.purpose, unlisted=True)

    def unusable(self, recipe: Recipe, features: Sequence[str]) -> str:
        """A ranker needs a feature of what was bought."""
        if any(map(is_of_history, recipe.features)):
            return ""
        return "of its features of what customers bought the catalog offers none any more"

    def by_recipe(self, data: RankingData, recipe: Recipe) -> RankingData:
        """The same orders with other features."""
        return data.by_recipe(recipe)

    def answers(self, data: RankingData, fitted: RankerFit) -> Rankings:
        """The best products for each judged order."""
        return ranked_products(fitted.model, data.judged.histories, K)

    def paired_draws(
        self, data: RankingData, ours: Rankings, theirs: Rankings
    ) -> Mapping[str, Floats]:
        """Of recall, NDCG and hit rate."""
        own, other = (ranking_by_customer(each, data.truth, K) for each in (ours, theirs))
        return {name: drawn_means(values - other[name], SEED) for name, values in own.items()}


def _bought_before(
    orders: pd.DataFrame, moment: datetime, statistics: ProductStatistics
) -> sp.csr_matrix:
    """Who had bought what before `moment`: a 0/1 matrix (customers, products)."""
    past = orders[orders["ordered_at"] < pd.Timestamp(moment)].drop_duplicates(
        ["customer", "product_id"]
    )
    rows = np.unique(past["customer"].to_numpy(), return_inverse=True)[1]
    columns = statistics.positions(past["product_id"].tolist())
    return sp.csr_matrix(
        (np.ones(len(past)), (rows, columns)), shape=(rows.max() + 1, len(statistics.product_ids))
    )


TASK = NextPurchase()
