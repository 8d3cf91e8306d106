"""How good predictions are."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

from models.masking import Floats

BINS = 10


def expected_calibration_error(labels: Floats, probabilities: Floats, bins: int = BINS) -> float:
    """Mean gap between forecast and frequency over equally wide bins, weighted by their rows (Naeini et al., AAAI 2015)."""
    at = np.minimum((probabilities * bins).astype(int), bins - 1)
    counts = np.bincount(at, minlength=bins)
    gaps = np.bincount(at, weights=probabilities - labels, minlength=bins)
    return float(np.abs(gaps).sum() / counts.sum())


def churn_metrics(labels: Floats, probabilities: Floats) -> dict[str, float]:
    """AUC, log loss, expected calibration error and Brier score of churn probabilities."""
    return {
        "auc": float(roc_auc_score(labels, probabilities)),
        "log_loss": float(log_loss(labels, probabilities)),
        "ece": expected_calibration_error(labels, probabilities),
        "brier": float(brier_score_loss(labels, probabilities)),
    }


def ranking_metrics(ranked: Sequence[Sequence[str]], truth: Sequence[Collection[str]], k: int = 10) -> dict[str, float]:
    """Recall, NDCG (ideal over min(k, truth)) and the share of customers with a hit (PHR), at k, averaged over customers."""
    discounts = 1 / np.log2(np.arange(2, k + 2))
    rows = []
    for answer, bought in zip(ranked, truth, strict=True):
        hits = np.array([product in bought for product in answer[:k]], dtype=float)
        ideal = discounts[: min(k, len(bought))].sum()
        rows.append((hits.sum() / len(bought), (hits * discounts[: len(hits)]).sum() / ideal, float(hits.any())))
    recall, ndcg, phr = np.mean(rows, axis=0)
    return {f"recall@{k}": float(recall), f"ndcg@{k}": float(ndcg), f"phr@{k}": float(phr)}
