"""Over how many days things are counted, and how long ago they happened."""

from __future__ import annotations

from ibis.expr.types import BooleanValue, FloatingValue, IntegerScalar, Table, TimestampValue

from features.definitions.expressions import days_between

MONTH = 30
QUARTER = 90


def age_of(moment: TimestampValue, rows: Table) -> FloatingValue:
    """How many days before as_of something happened."""
    return days_between(moment, rows.as_of)


def many(of: BooleanValue) -> IntegerScalar:
    """How many rows something holds of."""
    return of.cast("int64").sum()
