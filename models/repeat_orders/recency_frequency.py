"""Customers as the "buy till you die" models see them: repeat orders, when the last one was, how
long they are known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.definitions.rhythm import (
    DAYS_SINCE_FIRST_ORDER,
    DAYS_SINCE_LAST_ORDER,
    ORDER_DAYS,
)
from models.arrays import Floats

RHYTHM = (ORDER_DAYS.name, DAYS_SINCE_FIRST_ORDER.name, DAYS_SINCE_LAST_ORDER.name)
"""Features that tell of it."""


@dataclass(frozen=True)
class RepeatOrders:
    """All of shape (customers,): `repeats` (x), and `last` and `known`, the times of the last order
    and of now since the first (t_x, T).

    `counts` says how many customers each row stands for.
    """

    repeats: Floats
    last: Floats
    known: Floats
    counts: Floats

    @classmethod
    def of(cls, names: Sequence[str], features: Floats) -> RepeatOrders:
        """From `features` (customers, names), of which `RHYTHM` are read; in days.

        `NaN` where order times are withheld.
        """
        days, first, last = (features[:, names.index(name)] for name in RHYTHM)
        return cls(days - 1, np.where(days > 1, first - last, 0.0), first, np.ones(len(days)))

    def at(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> RepeatOrders:
        """The customers for whom `chosen` holds, or at the positions `chosen`."""
        return RepeatOrders(
            self.repeats[chosen], self.last[chosen], self.known[chosen], self.counts[chosen]
        )

    def enough(self, most: int) -> RepeatOrders:
        """All, or `most` customers of every kind: those at even distances when all are put in the
        order of what they did.
        """
        if len(self.repeats) <= most:
            return self
        order = np.lexsort((self.known, self.last, self.repeats))
        return self.at(order[np.linspace(0, len(order) - 1, most).astype(np.intp)])

    def grouped(self) -> RepeatOrders:
        """Customers alike to the day as one row, which makes a fit many times faster."""
        alike = np.stack([self.repeats, self.last.round(), self.known.round()], axis=1)
        rows, position = np.unique(alike, axis=0, return_inverse=True)
        return RepeatOrders(
            rows[:, 0],
            rows[:, 1],
            rows[:, 2],
            np.asarray(np.bincount(position.ravel(), weights=self.counts), dtype=np.float64),
        )
