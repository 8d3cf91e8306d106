"""BG/NBD and Pareto/NBD as they are used: fitted on all orders on record, with no look at who came
back.

Their probabilities are then put on the same footing as Sayso's: a line in log-odds, learnt at the
newest moment whose future is known, takes out what the model gets wrong in general.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from sklearn.linear_model import LogisticRegression

from experiments.trials.churn_trial import ChurnTrial
from features.errors import TrainingError
from models.arrays import Floats
from models.churn.rows import ChurnRows
from models.repeat_orders.buy_till_you_die import BuyTillYouDie, BuyTillYouDieModel
from models.repeat_orders.recency_frequency import RHYTHM, RepeatOrders


class Fitted(BuyTillYouDieModel, Protocol):
    """A model of repeat orders that can be fitted."""

    @classmethod
    def fit(cls, orders: RepeatOrders) -> Fitted:
        """The likeliest model."""


def order_model_peer(kind: type[Fitted], trial: ChurnTrial) -> Floats:
    """Calibrated probability of no order within the horizon, shape (judged,).

    Raises `TrainingError` where there is no horizon, or the data cannot tell the model's
    parameters.
    """
    if not trial.task.horizon_days:
        raise TrainingError("it foresees orders, and this data has none")
    newest = trial.known.at(trial.known.as_of == trial.known.as_of.max())
    before, now = (_forecast(kind, trial, rows) for rows in (newest, trial.judged))
    line = LogisticRegression(C=np.inf).fit(before, newest.labels)
    return np.asarray(line.predict_proba(now)[:, 1])


def _forecast(kind: type[Fitted], trial: ChurnTrial, rows: ChurnRows) -> Floats:
    """Log-odds of no order within the horizon (rows, 1), by the model fitted to the orders of
    `rows`.
    """
    process = BuyTillYouDie(
        kind.fit(repeat_orders(trial, rows)), trial.task.features, trial.task.horizon_days
    )
    return process.log_odds(rows.features)[:, None]


def repeat_orders(trial: ChurnTrial, rows: ChurnRows) -> RepeatOrders:
    """Those of `rows`.

    Raises `TrainingError` where a feature that tells of them is not there or is withheld.
    """
    absent = [name for name in RHYTHM if name not in trial.task.features]
    if absent:
        raise TrainingError(f"it needs {', '.join(absent)}, which this data has not")
    found = RepeatOrders.of(trial.task.features, rows.features)
    if np.isnan(found.repeats).any():
        raise TrainingError("it cannot do without the order times of every customer")
    return found
