"""Training the next-purchase model: ranked against each customer's last order of the newest block,
then fitted anew on everything.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import asdict
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import scipy.sparse as sp

from experiments.model_card.writing import card_pages
from experiments.training.next_purchase_against_champion import RankingTrial
from experiments.training.next_purchase_report import ranking_findings
from experiments.trials.baselines import item_knn, personal_frequency, popular
from experiments.trials.lineage import reads_by
from experiments.trials.paired_difference import ranking_differences
from experiments.trials.plots import comparison_plot, importance_plot
from experiments.trials.run import Lineage, TrainingRun, digest_of, recorded, run_metrics, run_tags
from experiments.trials.top_products import bought, ranked_products
from experiments.trials.tuning import NEXT_PURCHASE_SPACE, Tried, tuned
from features.errors import TrainingError
from features.progress import Progress, part_of, silent
from features.shop.shop import Shop
from models.metrics import ranking_metrics
from models.next_purchase.candidates import CandidateMaker
from models.next_purchase.examples import PurchaseData, history_masking, last_repeat_orders
from models.next_purchase.model import NextPurchaseModel
from models.next_purchase.orders import orders
from models.next_purchase.product_statistics import ProductStatistics
from models.next_purchase.ranker import Examples, NextPurchaseSettings, fit_next_purchase
from models.next_purchase.time_windows import LONGEST_DAYS, TimeWindows
from models.parallel import in_parallel
from models.tracking import Run, Tracking

MODEL = "next_purchase"
K = 10


def train_next_purchase(
    shop: Shop,
    tracking: Tracking,
    progress: Progress = silent,
    settings: NextPurchaseSettings | None = None,
    trials: int = 0,
) -> TrainingRun:
    """Train, compare with the baselines, log to MLflow and register as challenger.

    With `trials`, better settings are looked for first, so many times. Raises `TrainingError` where
    there is too little to learn from; the registry then stays as it was.
    """
    settings = settings or NextPurchaseSettings()
    now = shop.loaded_until()
    progress("reading orders", 0.0)
    data = purchase_data(shop, now)
    masking = history_masking(data, shop.config.catalog.askable(data.gate.purpose))
    if data.orders.empty:
        raise TrainingError(
            "no customer with an order allows what they bought and when to be used for"
            f" `{data.gate.purpose}`, so there is nothing to learn from. Bring consents in with"
            " `sayso consent import`."
        )
    holdout, *past = data.begins(now) or [now]
    if not past:
        raise _too_short(data, now)
    progress("making examples", 0.1)
    (judged, asked), *earlier = in_parallel(data.examples, [holdout, *past])
    if asked.empty:
        raise TrainingError(
            "no customer who allows what they bought and when to be used ordered again since"
            f" {holdout:%Y-%m-%d}, so there is nothing to judge the ranker by. Load newer orders,"
            f" or ask more customers; the record reaches to {now:%Y-%m-%d}."
        )
    known, placed = zip(*earlier, strict=True)
    lineage = Lineage(shop.config.catalog, reads_by(judged.maker))

    def fit(
        examples: Sequence[Examples], maker: CandidateMaker, chosen: NextPurchaseSettings
    ) -> NextPurchaseModel:
        return fit_next_purchase(examples, maker, masking, lineage.category_of, chosen)

    tried_settings: tuple[Tried, ...] = ()
    if trials:
        loss = missed(fit, known, bought(placed[0], data.orders))
        settings, tried_settings = tuned(
            settings, NEXT_PURCHASE_SPACE, loss, trials, part_of(progress, 0.2, 0.4)
        )
    progress("training the ranker", 0.4)
    tried = fit(known, judged.maker, settings)
    answers = ranked_products(tried, judged.histories, K)
    said, truth = everybodys_answers(answers, judged, data, holdout), bought(asked, data.orders)
    comparison = {name: ranking_metrics(answer, truth, K) for name, answer in said.items()}
    trial = RankingTrial(data, past, holdout, known, judged, truth)
    progress("fitting it anew on everything", 0.6)
    model = fit([judged, *known[: data.blocks.count - 1]], data.maker(now), settings)
    progress("asking how fair and explainable it is", 0.8)
    found = ranking_findings(shop, tracking, trial, asked, tried, answers, model, settings)
    progress("logging to MLflow", 0.9)
    run = Run(
        model=MODEL,
        booster=model.booster,
        save=model.save,
        parameters={
            **asdict(settings),
            "blocks": len(past),
            "block_days": data.blocks.days,
            "sold_within_days": data.sold_within_days,
        },
        metrics={**run_metrics(comparison), **ranking_differences(said, truth, K), **found.metrics},
        tags={**run_tags(shop, data.gate), **found.tags},
        trials=[(tried.parameters, {"loss": tried.loss}) for tried in tried_settings],
        documents={"features": lineage.document(), "comparison": comparison, **found.documents},
        figures={
            "comparison": comparison_plot(
                f"recall@{K}",
                {name: metrics[f"recall@{K}"] for name, metrics in comparison.items()},
            ),
            "importance": importance_plot(model.features, model.booster.gains()),
            **found.figures,
        },
        data_digest=digest_of(*(part for example in [judged, *known] for part in example.arrays)),
    )
    run = card_pages(shop, run, holdout, len(asked), data.orders["customer"].nunique())
    version = recorded(shop, tracking, run, data.gate, data.orders["customer"].unique())
    return TrainingRun(version, f"{holdout:%Y-%m-%d}", len(asked), comparison)


def purchase_data(shop: Shop, until: datetime) -> PurchaseData:
    """What the next-purchase model may read of the shop, of what was recorded before `until`."""
    section = shop.config.models.next_purchase
    gate = shop.gate(section.purpose)
    placed = orders(gate, until)
    blocks = TimeWindows.suited(
        len(last_repeat_orders(placed, until - timedelta(days=LONGEST_DAYS), until))
    )
    return PurchaseData(
        gate, placed, section.features, shop.facts, section.sold_within_days, blocks
    )


def missed(
    fit: Callable[[Sequence[Examples], CandidateMaker, NextPurchaseSettings], NextPurchaseModel],
    past: Sequence[Examples],
    truth: Sequence[AbstractSet[str]],
) -> Callable[[NextPurchaseSettings], float]:
    """What settings are compared by: the share of what the newest orders of the `past` held
    (`truth`) that a ranker misses.

    It learns from the earlier ones alone. Raises `TrainingError` where there are none.
    """
    newest, *earlier = past
    if not earlier:
        raise TrainingError(
            "the history is too short to try settings on: before the newest block of orders there"
            " have to be two, one to learn from and one to judge by. Load more history, or train"
            " without trials."
        )

    def loss(settings: NextPurchaseSettings) -> float:
        answers = ranked_products(fit(earlier, newest.maker, settings), newest.histories, K)
        return 1 - ranking_metrics(answers, truth, K)[f"recall@{K}"]

    return loss


def everybodys_answers(
    ours: Sequence[Sequence[str]], judged: Examples, data: PurchaseData, holdout: datetime
) -> dict[str, Sequence[Sequence[str]]]:
    """The products that each method answers the judged orders with; `ours` are Sayso's.

    Everything but a customer's own history is from before `holdout`.
    """
    statistics = judged.maker.statistics
    return {
        "sayso": ours,
        "popular": popular(statistics, len(ours), K),
        "personal_frequency": personal_frequency(judged, K),
        "item_knn": item_knn(judged, _bought_before(data.orders, holdout, statistics), K),
    }


def _bought_before(
    orders: pd.DataFrame, moment: datetime, statistics: ProductStatistics
) -> sp.csr_matrix:
    past = orders[orders["ordered_at"] < pd.Timestamp(moment)].drop_duplicates(
        ["customer", "product_id"]
    )
    rows = np.unique(past["customer"].to_numpy(), return_inverse=True)[1]
    columns = statistics.positions(past["product_id"].tolist())
    return sp.csr_matrix(
        (np.ones(len(past)), (rows, columns)), shape=(rows.max() + 1, len(statistics.product_ids))
    )


def _too_short(data: PurchaseData, now: datetime) -> TrainingError:
    first, days = data.orders["ordered_at"].min(), data.blocks.days
    return TrainingError(
        f"the consented orders reach from {first:%Y-%m-%d} to {now:%Y-%m-%d};"
        f" {LONGEST_DAYS + 2 * days} days and more are needed, so that there is a month of past,"
        f" {days} days to learn from and the newest {days} to judge by. Load more history or ask"
        " more customers."
    )
