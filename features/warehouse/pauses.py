"""How long a shop usually goes without an order, and when its record is old for that."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta

import numpy as np

SHARE = 0.95
"""Of the gaps between days with orders this share is no longer than the usual pause: weekends and
holidays are in it, and the one summer in which a shop was closed is not.
"""
LEAST = timedelta(days=7)
"""A shop that exports its orders once a week is in step."""


def usual_pause(days: Sequence[date]) -> timedelta:
    """How long a shop usually goes without an order, from the days (distinct, in order) on which it
    had some; `LEAST` at least.
    """
    gaps = np.diff(np.array(days, dtype="datetime64[D]")).astype("int64")
    if not len(gaps):
        return LEAST
    return max(LEAST, timedelta(days=int(np.ceil(np.quantile(gaps, SHARE)))))


def is_old(until: datetime, now: datetime, pause: timedelta) -> bool:
    """Whether a record that ends at `until` is older at `now` than the shop's usual `pause`."""
    return now - until > pause
