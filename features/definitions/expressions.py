"""Pieces of Ibis expressions that several definitions are made of."""

from __future__ import annotations

from ibis.expr.types import FloatingValue, NumericValue, TimestampValue

SECONDS_PER_DAY = 86_400.0
MONEY_DIGITS = 4
FADING_DIGITS = 12


def days_between(earlier: TimestampValue, later: TimestampValue) -> FloatingValue:
    """Days from one moment to another, with fractions."""
    return (later.epoch_seconds() - earlier.epoch_seconds()) / SECONDS_PER_DAY


def exact_sum(amounts: NumericValue, digits: int = MONEY_DIGITS) -> NumericValue:
    """Sum to so many digits after the point, in whole numbers: it does not depend on the order in
    which threads add.
    """
    unit = 10**digits
    return (amounts * unit).round().cast("int64").sum() / unit


def fading(age: FloatingValue, over_days: float) -> FloatingValue:
    """Weight of what happened `age` days ago: 1 now, 1/e after `over_days`."""
    return (-age / over_days).exp()
