"""By how much a model leads each simple method on the customers it is judged by, and how sure that
is.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from experiments.trials.findings import Interval, interval_metrics, read_interval
from experiments.trials.paired_bootstrap import Ranks, drawn, drawn_means, interval
from models.arrays import Floats
from models.metrics import ranking_by_customer

SEED = 7
OURS = "sayso"


def churn_differences(labels: Floats, scores: Mapping[str, Floats]) -> dict[str, float]:
    """In AUC, by `scores` (customers,) of `sayso` and of each method, the higher the likelier to
    leave.
    """
    ranks = {name: Ranks(labels, own) for name, own in scores.items()}
    counted = [
        {name: one.auc(counts) for name, one in ranks.items()}
        for counts in drawn(len(labels), SEED)
    ]
    auc = {name: np.concatenate([part[name] for part in counted]) for name in scores}
    return _stated("auc", {name: auc[OURS] - draws for name, draws in auc.items() if name != OURS})


def ranking_differences(
    answers: Mapping[str, Sequence[Sequence[str]]], truth: Sequence[Collection[str]], k: int
) -> dict[str, float]:
    """In recall at `k`, by the `answers` of `sayso` and of each method to the same customers."""
    recall = {
        name: ranking_by_customer(said, truth, k)[f"recall@{k}"] for name, said in answers.items()
    }
    return _stated(
        f"recall_at_{k}",
        {
            name: drawn_means(recall[OURS] - own, SEED)
            for name, own in recall.items()
            if name != OURS
        },
    )


def paired_difference(metrics: Mapping[str, float], method: str, metric: str) -> Interval | None:
    """Low, middle and high of the difference to a method as a run states it; None where it was not
    measured.
    """
    return read_interval(_named(method, metric), metrics)


def _stated(metric: str, draws: Mapping[str, Floats]) -> dict[str, float]:
    return {
        name: value
        for method, own in draws.items()
        for name, value in interval_metrics(_named(method, metric), interval(own)).items()
    }


def _named(method: str, metric: str) -> str:
    return f"lead.{method}.{metric}"
