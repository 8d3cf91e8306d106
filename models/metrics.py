"""How good predictions are."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

from models.arrays import Floats

BINS = 10


def expected_calibration_error(labels: Floats, probabilities: Floats, bins: int = BINS) -> float:
    """Mean gap between forecast and frequency over equally wide bins, weighted by their rows
    (Naeini et al., AAAI 2015).
    """
    gaps = np.bincount(_bins(probabilities, bins), weights=probabilities - labels, minlength=bins)
    return float(np.abs(gaps).sum() / len(labels))


def calibration_error_of_exact_forecasts(probabilities: Floats, bins: int = BINS) -> float:
    """The calibration error to expect of these very forecasts were each of them exact: what chance
    alone gives so many customers.

    In a bin, forecasts less outcomes then sum to about Normal(0, v), where v is the sum of p (1 -
    p), and the mean of its absolute value is sqrt(2 v / pi) (the half-normal: Leone, Nelson and
    Nottingham, Technometrics 1961).
    """
    variances = np.bincount(
        _bins(probabilities, bins), weights=probabilities * (1 - probabilities), minlength=bins
    )
    return float(np.sqrt(2 * variances / np.pi).sum() / len(probabilities))


def churn_metrics(labels: Floats, probabilities: Floats) -> dict[str, float]:
    """AUC, log loss, expected calibration error, what of it chance alone would give, bias and Brier
    score of churn probabilities.

    The bias is the mean forecast less the share who left: how far the period was from what could be
    foreseen of it.
    """
    return {
        "auc": float(roc_auc_score(labels, probabilities)),
        "log_loss": float(log_loss(labels, probabilities)),
        "ece": expected_calibration_error(labels, probabilities),
        "ece_by_chance": calibration_error_of_exact_forecasts(probabilities),
        "bias": float(np.mean(probabilities) - np.mean(labels)),
        "brier": float(brier_score_loss(labels, probabilities)),
    }


def most_calibration_error_by_chance(
    probabilities: Floats, seed: int, off_by: float = 0.0, draws: int = 400, bins: int = BINS
) -> float:
    """The calibration error that forecasts which are `off_by` so much stay under in 95 of 100
    samples of as many rows.

    Outcomes are drawn from the forecasts, each moved by that much towards a half (consistency
    resampling: Broecker and Smith, Weather and Forecasting 2007).
    """
    true = probabilities + np.where(probabilities < 1 / 2, off_by, -off_by)
    generator = np.random.default_rng(seed)
    at = _bins(probabilities, bins)
    order = np.argsort(at, kind="stable")
    starts = np.flatnonzero(np.diff(at[order], prepend=-1))
    forecast, true = probabilities[order], true[order]
    gaps = [
        np.add.reduceat(forecast - (generator.random(len(forecast)) < true), starts)
        for _ in range(draws)
    ]
    return float(np.quantile(np.abs(gaps).sum(axis=1) / len(forecast), 0.95))


def _bins(probabilities: Floats, bins: int) -> NDArray[np.int64]:
    """Which of `bins` equally wide bins each forecast lies in; a forecast of 1 lies in the last."""
    return np.minimum((probabilities * bins).astype(np.int64), bins - 1)


def ranking_by_customer(
    ranked: Sequence[Sequence[str]], truth: Sequence[Collection[str]], k: int = 10
) -> dict[str, Floats]:
    """Recall, NDCG (ideal over min(k, truth)) and whether anything was hit (PHR), at k, each of
    shape (customers,).
    """
    discounts = 1 / np.log2(np.arange(2, k + 2))
    rows = []
    for answer, bought in zip(ranked, truth, strict=True):
        hits = np.array([product in bought for product in answer[:k]], dtype=float)
        ideal = discounts[: min(k, len(bought))].sum()
        rows.append(
            (
                hits.sum() / len(bought),
                (hits * discounts[: len(hits)]).sum() / ideal,
                float(hits.any()),
            )
        )
    columns = np.array(rows).reshape(len(rows), 3).T
    return dict(zip((f"recall@{k}", f"ndcg@{k}", f"phr@{k}"), columns, strict=True))


def ranking_metrics(
    ranked: Sequence[Sequence[str]], truth: Sequence[Collection[str]], k: int = 10
) -> dict[str, float]:
    """The metrics of `ranking_by_customer`, averaged over customers."""
    return {
        name: float(values.mean()) for name, values in ranking_by_customer(ranked, truth, k).items()
    }
