"""BG/NBD and Pareto/NBD as they are used: fitted on all orders on record, with no look at who came back.

Their probabilities are then put on the same footing as Sayso's: a line in log-odds, learnt at the newest moment whose future is
known, takes out what the model gets wrong in general.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from scipy.special import logit
from sklearn.linear_model import LogisticRegression

from experiments.churn_trial import ChurnTrial
from features.errors import TrainingError
from models.churn_rows import ChurnRows
from models.masking import Floats
from models.repeat_orders import RHYTHM, RepeatOrders

SMALLEST = 1e-6


class OrderModel(Protocol):
    """A model of repeat orders that can be fitted and foresees silence."""

    @classmethod
    def fit(cls, orders: RepeatOrders) -> OrderModel:
        """The likeliest model."""

    def no_order(self, orders: RepeatOrders, days: float) -> Floats:
        """Probability that each customer orders nothing within `days`."""


def order_model_peer(kind: type[OrderModel], trial: ChurnTrial) -> Floats:
    """Calibrated probability of no order within the horizon, shape (judged,).

    Raises `TrainingError` where there is no horizon, or the data cannot tell the model's parameters.
    """
    if not trial.task.horizon_days:
        raise TrainingError("it foresees orders, and this data has none")
    newest = trial.known.at(trial.known.as_of == trial.known.as_of.max())
    before, now = (repeat_orders(trial, rows) for rows in (newest, trial.judged))
    horizon = float(trial.task.horizon_days)
    line = LogisticRegression(C=np.inf).fit(_log_odds(kind.fit(before).no_order(before, horizon)), newest.labels)
    return np.asarray(line.predict_proba(_log_odds(kind.fit(now).no_order(now, horizon)))[:, 1])


def repeat_orders(trial: ChurnTrial, rows: ChurnRows) -> RepeatOrders:
    """Those of `rows`. Raises `TrainingError` where a feature that tells of them is not there or is withheld."""
    absent = [name for name in RHYTHM if name not in trial.task.features]
    if absent:
        raise TrainingError(f"it needs {', '.join(absent)}, which this data has not")
    found = RepeatOrders.of(trial.task.features, rows.features)
    if np.isnan(found.repeats).any():
        raise TrainingError("it cannot do without the order times of every customer")
    return found


def _log_odds(probabilities: Floats) -> Floats:
    return np.asarray(logit(probabilities.clip(SMALLEST, 1 - SMALLEST)))[:, None]
