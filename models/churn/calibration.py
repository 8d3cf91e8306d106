"""Calibration: a straight line in log-odds (Platt 1999).

Future periods differ from past ones by a shock common to all customers (a season, a campaign).
Nobody can know the next one, so the slope is learnt within periods, on predictions made ahead of
time, and the level is that of the average period.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import brentq, minimize_scalar
from scipy.special import expit

from models.arrays import Floats

FARTHEST_SHIFT = 20.0
SLOPES = (0.3, 1.5)


def shift_to(raw: Floats, observed: float, weights: Floats | None = None) -> float:
    """What to add to log-odds `raw` so that the mean probability equals `observed` (strictly
    between 0 and 1).
    """

    def excess(shift: float) -> float:
        return float(np.average(expit(raw + shift), weights=weights)) - observed

    return float(brentq(excess, -FARTHEST_SHIFT, FARTHEST_SHIFT))


def loss_within_periods(slope: float, periods: Sequence[tuple[Floats, Floats]]) -> float:
    """Mean log loss of (raw scores, labels) per period, each period's own level taken out."""
    losses = []
    for raw, labels in periods:
        scaled = slope * raw
        log_odds = scaled + shift_to(scaled, float(labels.mean()))
        losses.append(np.mean(np.logaddexp(0, log_odds) - labels * log_odds))
    return float(np.mean(losses))


def best_slope(periods: Sequence[tuple[Floats, Floats]]) -> float:
    """The slope that fits out-of-time predictions best within periods."""
    return float(
        minimize_scalar(loss_within_periods, args=(periods,), bounds=SLOPES, method="bounded").x
    )
