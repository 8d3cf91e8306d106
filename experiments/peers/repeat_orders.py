"""Customers as the "buy till you die" models see them: repeat orders, when the last one was, how long they are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from experiments.churn_trial import ChurnTrial
from features.errors import TrainingError
from models.churn_rows import ChurnRows
from models.masking import Floats

READ = ("order_days", "days_since_first_order", "days_since_last_order")


@dataclass(frozen=True)
class RepeatOrders:
    """All of shape (customers,): `repeats` (x), and `last` and `known`, the times of the last order and of now since the first (t_x, T).

    `counts` says how many customers each row stands for.
    """

    repeats: Floats
    last: Floats
    known: Floats
    counts: Floats

    def grouped(self) -> RepeatOrders:
        """Customers alike to the day as one row, which makes a fit many times faster."""
        alike = np.stack([self.repeats, self.last.round(), self.known.round()], axis=1)
        rows, position = np.unique(alike, axis=0, return_inverse=True)
        return RepeatOrders(
            rows[:, 0], rows[:, 1], rows[:, 2], np.asarray(np.bincount(position.ravel(), weights=self.counts), dtype=np.float64)
        )


def repeat_orders(trial: ChurnTrial, rows: ChurnRows) -> RepeatOrders:
    """From the features of `rows`, in days. Raises `TrainingError` where one that is needed is not there or is withheld."""
    absent = [name for name in READ if name not in trial.task.features]
    if absent:
        raise TrainingError(f"it needs {', '.join(absent)}, which this data has not")
    days, first, last = (trial.column(name, rows) for name in READ)
    if np.isnan(days).any():
        raise TrainingError("it cannot do without the order times of every customer")
    repeats = days - 1
    return RepeatOrders(repeats, np.where(repeats > 0, first - last, 0.0), first, np.ones(len(days)))
