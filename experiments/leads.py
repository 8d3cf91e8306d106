"""By how much a model leads each simple method on the customers it is judged by, and how sure that is."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from experiments.paired_bootstrap import Ranks, drawn, drawn_means, interval
from models.masking import Floats
from models.metrics import ranking_by_customer

SEED = 7
OURS = "sayso"
ENDS = ("low", "middle", "high")


def churn_leads(labels: Floats, scores: Mapping[str, Floats]) -> dict[str, float]:
    """In AUC, by `scores` (customers,) of `sayso` and of each method, the higher the likelier to leave."""
    ranks = {name: Ranks(labels, own) for name, own in scores.items()}
    counted = [{name: one.auc(counts) for name, one in ranks.items()} for counts in drawn(len(labels), SEED)]
    auc = {name: np.concatenate([part[name] for part in counted]) for name in scores}
    return _stated("auc", {name: auc[OURS] - draws for name, draws in auc.items() if name != OURS})


def ranking_leads(answers: Mapping[str, Sequence[Sequence[str]]], truth: Sequence[Collection[str]], k: int) -> dict[str, float]:
    """In recall at `k`, by the `answers` of `sayso` and of each method to the same customers."""
    recall = {name: ranking_by_customer(said, truth, k)[f"recall@{k}"] for name, said in answers.items()}
    return _stated(f"recall_at_{k}", {name: drawn_means(recall[OURS] - own, SEED) for name, own in recall.items() if name != OURS})


def lead(metrics: Mapping[str, float], method: str, metric: str) -> tuple[float, float, float] | None:
    """Low, middle and high of the lead over a method as a run states it; None where it was not measured."""
    found = [metrics.get(_named(method, metric, end)) for end in ENDS]
    return None if None in found else (float(found[0] or 0), float(found[1] or 0), float(found[2] or 0))


def _stated(metric: str, draws: Mapping[str, Floats]) -> dict[str, float]:
    return {_named(name, metric, end): value for name, own in draws.items() for end, value in zip(ENDS, interval(own), strict=True)}


def _named(method: str, metric: str, end: str) -> str:
    return f"lead.{method}.{metric}.{end}"
