"""What a probability of churn is called: a third each."""

from __future__ import annotations

from typing import Literal

Band = Literal["low", "medium", "high"]
BANDS: tuple[tuple[float, Band], ...] = ((1 / 3, "low"), (2 / 3, "medium"), (1.0, "high"))
"""Upper ends of the bands of probability."""
HIGH_ABOVE = BANDS[1][0]
"""A customer above this probability is in the high band, and offered help."""


def band(probability: float) -> Band:
    """The band that a probability falls into: low, medium or high."""
    return next(name for end, name in BANDS if probability <= end)
