"""The next-basket benchmark: the next-purchase model beside its peers, on the same folds, in one
run.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from experiments.benchmarks.basket_shop import BasketShop
from experiments.benchmarks.peers.baskets import Baskets, Known, Rows
from experiments.benchmarks.peers.ease import ease
from experiments.benchmarks.peers.item_knn import item_knn
from experiments.benchmarks.peers.peer import Fit, Rank
from experiments.benchmarks.peers.popularity import g_top, gp_top, p_top
from experiments.benchmarks.peers.tifu_knn import tifu_knn_published, tifu_knn_retuned
from experiments.benchmarks.peers.up_cf import up_cf
from features.errors import SaysoError, TrainingError
from features.progress import Progress, silent
from models.arrays import Bools, Floats
from models.next_purchase.ranker import NextPurchaseSettings

CUTS = (10, 20)


def sayso(known: Known, settings: NextPurchaseSettings | None = None) -> Rank:
    """The next-purchase model as `sayso train` fits it."""
    shop = BasketShop.of(known)
    model = shop.fit(known.train, settings or NextPurchaseSettings())
    position = {item: at for at, item in enumerate(known.items)}
    return lambda asked, k: [
        np.array([position[item] for item in best], dtype=np.int64)
        for best in shop.rank(model, asked, k)
    ]


METHODS: dict[str, Fit] = {
    "sayso": sayso,
    "g_top": g_top,
    "p_top": p_top,
    "gp_top": gp_top,
    "tifu_knn_published": tifu_knn_published,
    "tifu_knn_retuned": tifu_knn_retuned,
    "item_knn": item_knn,
    "ease": ease,
    "up_cf": up_cf,
}


def next_basket_benchmark(
    baskets: Baskets, folds: int, progress: Progress = silent, methods: Mapping[str, Fit] = METHODS
) -> dict[str, dict[str, Any]]:
    """Each method's metrics (mean and sd over the folds) and seconds to fit and to predict (mean);
    `error` where it cannot be fitted.
    """
    results = {}
    for number, (name, fit) in enumerate(methods.items()):

        def report(what: str, share: float, name: str = name, number: int = number) -> None:
            progress(f"{name}, {what}", (number + share) / len(methods))

        try:
            results[name] = _summary(
                [_in_fold(baskets, fold, fit, report, folds) for fold in range(folds)]
            )
        except (SaysoError, ArithmeticError, ValueError, IndexError) as error:
            results[name] = {"error": str(error)}
    return results


def _in_fold(
    baskets: Baskets, fold: int, fit: Fit, progress: Progress, folds: int
) -> dict[str, float]:
    known, (asked, truth) = baskets.known(fold), baskets.asked(fold)
    if not len(known.train) or not len(asked):
        raise TrainingError(
            f"fold {fold + 1} has {len(known.train)} customers to learn from and {len(asked)} to"
            " ask about; both need some"
        )
    progress(f"fold {fold + 1}: fitting", fold / folds)
    begun = time.perf_counter()
    rank = fit(known)
    fitted = time.perf_counter()
    progress(f"fold {fold + 1}: predicting", (fold + 0.8) / folds)
    answers = rank(asked, max(CUTS))
    done = time.perf_counter()
    return {
        **basket_metrics(answers, truth),
        "fit_seconds": fitted - begun,
        "predict_seconds": done - fitted,
    }


def basket_metrics(answers: Sequence[Rows], truth: Sequence[Rows]) -> dict[str, float]:
    """Recall, NDCG, `ndcg_repo` and PHR at each of `CUTS`, averaged over customers.

    NDCG sets the gain against the best that k answers could reach; `ndcg_repo` against the best of
    all items of the basket, as the code published with A Next Basket Recommendation Reality Check
    (TOIS 2023) does. PHR is the share of customers with a hit.
    """
    return {name: value for k in CUTS for name, value in _at(k, answers, truth).items()}


def _at(k: int, answers: Sequence[Rows], truth: Sequence[Rows]) -> dict[str, float]:
    rows = [
        _one(np.isin(answer[:k], bought), len(bought), k)
        for answer, bought in zip(answers, truth, strict=True)
    ]
    return dict(
        zip(
            (f"recall@{k}", f"ndcg@{k}", f"ndcg_repo@{k}", f"phr@{k}"),
            np.mean(rows, axis=0).tolist(),
            strict=True,
        )
    )


def _one(hits: Bools, bought: int, k: int) -> tuple[float, float, float, float]:
    gain = float((hits * _discounts(len(hits))).sum())
    return (
        hits.sum() / bought,
        gain / _discounts(min(k, bought)).sum(),
        gain / _discounts(bought).sum(),
        float(hits.any()),
    )


def _discounts(places: int) -> Floats:
    return np.asarray(1 / np.log2(np.arange(2, places + 2)))


def _summary(folds: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    """Mean and standard deviation over folds; of seconds the mean alone."""
    summary: dict[str, Any] = {}
    for name in folds[0]:
        values = [fold[name] for fold in folds]
        mean = float(np.mean(values))
        summary[name] = (
            mean
            if name.endswith("_seconds")
            else {"mean": mean, "sd": float(np.std(values, ddof=1)) if len(values) > 1 else 0.0}
        )
    return summary
