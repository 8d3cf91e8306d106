"""Buy-till-you-die models: forecasts by a model of how orders come about, in place of one that
learns who came back.

Only four parameters are fitted for all customers together, so few customers suffice; and where
customers do order in that way, nothing forecasts better. Some order at random, some at regular
intervals: backtests decide which process fits a shop.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.special import logit

from features.errors import TrainingError
from models.arrays import Floats
from models.repeat_orders.mbg_cnbd import MbgCnbd
from models.repeat_orders.pareto_nbd import ParetoNbd
from models.repeat_orders.recency_frequency import RHYTHM, RepeatOrders

SMALLEST = 1e-6
"""No probability counts as smaller, nor as nearer to 1."""
REGULARITIES = (1, 2, 4, 8)
"""Processes from orders at random (Pareto/NBD) to ever more regular ones (MBG/CNBD-k)."""
MOST_CUSTOMERS = 20_000
"""More of them do not change four numbers."""


class BuyTillYouDieModel(Protocol):
    """A model of repeat orders that foresees silence."""

    def no_order(self, orders: RepeatOrders, days: float) -> Floats:
        """Probability that each customer orders nothing within `days`, shape (customers,)."""


@dataclass(frozen=True)
class BuyTillYouDie:
    """A fitted model of orders, which reads `RHYTHM` among the features `names`."""

    model: BuyTillYouDieModel
    names: Sequence[str]
    horizon_days: int

    def log_odds(self, features: Floats) -> Floats:
        """Log-odds (rows,) of no order within the horizon, by features (rows, names).

        `NaN` where order times are withheld, or where so many orders are on record that the model's
        numbers give out.
        """
        orders = RepeatOrders.of(self.names, features)
        shown = np.isfinite(orders.repeats)
        found = np.full(len(features), np.nan)
        with np.errstate(all="ignore"):
            found[shown] = self.model.no_order(orders.at(shown), float(self.horizon_days))
        return np.asarray(logit(found.clip(SMALLEST, 1 - SMALLEST)))


def fit_buy_till_you_die(
    names: Sequence[str], features: Floats, horizon_days: int, regularity: int
) -> BuyTillYouDie | None:
    """Fit to customers as they are at one moment, by features (customers, names); what they do next
    is not asked.

    None where nothing tells how they order, or nobody has ordered twice.
    """
    if not horizon_days or not set(RHYTHM) <= set(names):
        return None
    orders = RepeatOrders.of(names, features)
    orders = orders.at(np.isfinite(orders.repeats)).enough(MOST_CUSTOMERS)
    try:
        model: BuyTillYouDieModel = (
            ParetoNbd.fit(orders) if regularity == 1 else MbgCnbd.fit(orders, regularity)
        )
    except TrainingError:
        return None
    return BuyTillYouDie(model, names, horizon_days)
