"""Metrics and calibration against values worked out by hand and by brute force."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from models.arrays import Floats
from models.churn.calibration import best_slope, loss_within_periods, shift_to
from models.metrics import (
    calibration_error_of_exact_forecasts,
    churn_metrics,
    expected_calibration_error,
    ranking_metrics,
)


def test_churn_metrics_by_hand() -> None:
    """Four forecasts whose figures can be worked out on paper."""
    labels, forecasts = np.array([1.0, 0.0, 1.0, 0.0]), np.array([0.8, 0.3, 0.4, 0.6])
    metrics = churn_metrics(labels, forecasts)
    assert metrics["auc"] == pytest.approx(3 / 4)
    assert metrics["brier"] == pytest.approx((0.04 + 0.09 + 0.36 + 0.36) / 4)
    assert metrics["log_loss"] == pytest.approx(
        -(math.log(0.8) + math.log(0.7) + math.log(0.4) + math.log(0.4)) / 4
    )
    assert metrics["bias"] == pytest.approx(0.025)
    assert metrics["ece"] == pytest.approx((0.2 + 0.3 + 0.6 + 0.6) / 4)


def test_calibration_error_counts_bins_and_not_rows() -> None:
    """Errors within one bin cancel, those of different bins do not, and a forecast of 1 lies in the
    last bin.
    """
    assert expected_calibration_error(
        np.array([1.0, 0.0]), np.array([0.52, 0.48])
    ) == pytest.approx((0.48 + 0.48) / 2)
    assert expected_calibration_error(
        np.array([1.0, 0.0]), np.array([0.52, 0.58])
    ) == pytest.approx(0.05)
    assert expected_calibration_error(np.array([1.0, 1.0]), np.array([1.0, 0.95])) == pytest.approx(
        0.025
    )


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32), rows=st.integers(2, 60))
def test_metrics_by_brute_force(seed: int, rows: int) -> None:
    """AUC is the share of pairs in order, the calibration error the weighted gap of each bin."""
    draw = np.random.default_rng(seed)
    labels, forecasts = (
        (draw.permutation(rows) < rows / 2).astype(float),
        np.round(draw.random(rows), 2),
    )
    pairs = [
        (a > b) + 0.5 * (a == b) for a in forecasts[labels == 1] for b in forecasts[labels == 0]
    ]
    assert churn_metrics(labels, forecasts)["auc"] == pytest.approx(np.mean(pairs))
    gap = 0.0
    for at in range(10):
        inside = np.minimum((forecasts * 10).astype(int), 9) == at
        if inside.any():
            gap += inside.sum() / rows * abs(forecasts[inside].mean() - labels[inside].mean())
    assert expected_calibration_error(labels, forecasts) == pytest.approx(gap)


@pytest.mark.parametrize("rows", [200, 500, 2_000])
def test_what_chance_alone_gives_is_the_mean_over_many_worlds(rows: int) -> None:
    """Outcomes drawn from the forecasts show on average the calibration error that the formula
    tells, for few rows and for many.
    """
    draw = np.random.default_rng(rows)
    forecasts = draw.beta(1.5, 1.0, rows)
    worlds = [
        expected_calibration_error((draw.random(rows) < forecasts).astype(float), forecasts)
        for _ in range(1_500)
    ]
    assert calibration_error_of_exact_forecasts(forecasts) == pytest.approx(
        np.mean(worlds), rel=0.04
    )


def test_what_chance_alone_gives_by_hand() -> None:
    """Of ten bins of 200 equal forecasts each sums to a half-normal deviation; sure forecasts are
    off by nothing.
    """
    even = np.repeat(np.arange(10) / 10 + 0.05, 200)
    spread = sum(math.sqrt(2 * 200 * p * (1 - p) / math.pi) for p in even[::200])
    assert (
        calibration_error_of_exact_forecasts(even)
        == pytest.approx(spread / 2_000)
        == pytest.approx(0.0224, abs=0.0001)
    )
    assert calibration_error_of_exact_forecasts(np.array([0.0, 1.0])) == 0


def test_ranking_metrics_by_hand() -> None:
    """Two customers: one hit at place two of three wanted, and no hit."""
    metrics = ranking_metrics([["x", "a", "y"], ["x", "y", "z"]], [{"a", "b", "c"}, {"d"}], k=3)
    ideal = 1 + 1 / math.log2(3) + 1 / 2
    assert metrics == pytest.approx(
        {"recall@3": 1 / 6, "ndcg@3": (1 / math.log2(3) / ideal) / 2, "phr@3": 0.5}
    )


def test_only_the_first_k_count() -> None:
    """A hit beyond k is none, a perfect list has 1 everywhere, and a shorter list than k is judged
    as it is.
    """
    assert ranking_metrics([["x", "a"]], [{"a"}], k=1) == {
        "recall@1": 0.0,
        "ndcg@1": 0.0,
        "phr@1": 0.0,
    }
    assert ranking_metrics([["a", "b", "c"]], [["a", "b"]], k=2) == pytest.approx(
        {"recall@2": 1.0, "ndcg@2": 1.0, "phr@2": 1.0}
    )
    assert ranking_metrics([["a"]], [{"a", "b"}], k=5)["recall@5"] == 0.5


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), observed=st.floats(0.001, 0.999), weighted=st.booleans())
def test_a_shift_meets_the_observed_share(seed: int, observed: float, weighted: bool) -> None:
    """After the shift the mean probability is what was observed, with weights or without."""
    draw = np.random.default_rng(seed)
    raw, weights = draw.normal(0, 2, 200), draw.random(200) if weighted else None
    mean = np.average(expit(raw + shift_to(raw, observed, weights)), weights=weights)
    assert mean == pytest.approx(observed, abs=1e-9)


def periods(slope: float) -> list[tuple[Floats, Floats]]:
    """Four large periods in which the truth is `slope` times the score, each at its own level."""
    draw = np.random.default_rng(7)
    made = []
    for level in (-1.5, -0.5, 0.0, 1.0):
        raw = draw.normal(0, 2, 20_000)
        made.append((raw, (draw.random(20_000) < expit(slope * raw + level)).astype(float)))
    return made


@pytest.mark.parametrize("slope", [0.5, 1.0, 1.3])
def test_the_slope_is_found_whatever_the_levels(slope: float) -> None:
    """From periods whose levels differ the slope within them is recovered."""
    seen = periods(slope)
    found = best_slope(seen)
    assert found == pytest.approx(slope, abs=0.03)
    assert loss_within_periods(found, seen) <= min(
        loss_within_periods(found + step, seen) for step in (-0.05, 0.05)
    )
