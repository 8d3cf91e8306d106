"""BG/NBD: orders come at random until, after one of them, the customer is gone for good.

Fader, Hardie, Lee: "Counting your customers" the easy way, Marketing Science 24 (2005).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import betaln, expit, gammaln

from models.arrays import Floats
from models.repeat_orders.likelihood import maximised
from models.repeat_orders.recency_frequency import RepeatOrders


@dataclass(frozen=True)
class BgNbd:
    """Rates of ordering are Gamma(`r`, `alpha`), in orders a day; chances of leaving after an order
    are Beta(`a`, `b`).
    """

    r: float
    alpha: float
    a: float
    b: float

    @classmethod
    def fit(cls, orders: RepeatOrders) -> BgNbd:
        """By maximum likelihood. Raises `TrainingError` where no maximum is found."""
        return maximised(cls, ("alpha",), orders)

    def log_likelihood(self, orders: RepeatOrders) -> Floats:
        """Of each customer (equation 6 of the paper), shape (customers,)."""
        x, shape = orders.repeats, self.r + orders.repeats
        ordering = (
            gammaln(shape)
            - gammaln(self.r)
            + self.r * np.log(self.alpha)
            - shape * np.log(self.alpha + orders.known)
        )
        staying = betaln(self.a, self.b + x) - betaln(self.a, self.b)
        return np.asarray(ordering + staying + np.logaddexp(0.0, self._odds_of_gone(orders)))

    def alive(self, orders: RepeatOrders) -> Floats:
        """Probability that each customer is not yet gone, shape (customers,)."""
        return np.asarray(expit(-self._odds_of_gone(orders)), dtype=np.float64)

    def no_order(self, orders: RepeatOrders, days: float) -> Floats:
        """Probability that each customer orders nothing within `days`, shape (customers,)."""
        rate = self.alpha + orders.known
        silent = (rate / (rate + days)) ** (self.r + orders.repeats)
        return 1 - self.alive(orders) * (1 - silent)

    def _odds_of_gone(self, orders: RepeatOrders) -> Floats:
        """Logarithm of the odds; a customer without a repeat order cannot be gone by this model."""
        x = orders.repeats
        waited = np.log(self.alpha + orders.known) - np.log(self.alpha + orders.last)
        odds = np.log(self.a) - np.log(self.b + np.maximum(x, 1) - 1) + (self.r + x) * waited
        return np.where(x > 0, odds, -np.inf)
