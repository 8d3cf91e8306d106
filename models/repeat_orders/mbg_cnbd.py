"""MBG/CNBD-k: orders come at regular distances, every k-th of random events, until after one of
them the customer is gone for good.

Reutterer, Platzer, Schröder, "Leveraging purchase regularity for predicting customer behavior the
easy way", International Journal of Research in Marketing 38 (2021).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import betaln, gammaln, logsumexp

from models.arrays import Floats
from models.repeat_orders.likelihood import maximised
from models.repeat_orders.recency_frequency import RepeatOrders


@dataclass(frozen=True)
class MbgCnbd:
    """Rates of the random events are Gamma(`r`, `alpha`), in events a day; chances of leaving after
    an order are Beta(`a`, `b`).
    """

    regularity: int
    r: float
    alpha: float
    a: float
    b: float

    @classmethod
    def fit(cls, orders: RepeatOrders, regularity: int) -> MbgCnbd:
        """By maximum likelihood, for a given k.

        Raises `TrainingError` where no maximum is found.
        """
        return maximised(cls, ("alpha",), orders, regularity=regularity)

    def log_likelihood(self, orders: RepeatOrders) -> Floats:
        """Of each customer, shape (customers,), but for a factor that only k and the distances
        between orders have a part in.
        """
        return np.asarray(np.logaddexp(self._silent(orders, 0.0), self._gone(orders)))

    def no_order(self, orders: RepeatOrders, days: float) -> Floats:
        """Probability that each customer orders nothing within `days`, shape (customers,)."""
        gone = self._gone(orders)
        return np.asarray(
            np.exp(
                np.logaddexp(self._silent(orders, days), gone)
                - np.logaddexp(self._silent(orders, 0.0), gone)
            )
        )

    def _silent(self, orders: RepeatOrders, days: float) -> Floats:
        """Logarithm of the likelihood of staying, and of fewer than k events since the last order
        until `days` from now.
        """
        events = np.arange(self.regularity)[:, None]
        shape, until = self.r + self.regularity * orders.repeats + events, orders.known + days
        waited = np.where(
            events > 0,
            events * np.log(np.maximum(until - orders.last, np.finfo(np.float64).tiny)),
            0.0,
        )
        paths = gammaln(shape) - gammaln(events + 1) + waited - shape * np.log(self.alpha + until)
        return np.asarray(
            self._constant + logsumexp(paths, axis=0) + betaln(self.a, self.b + orders.repeats + 1)
        )

    def _gone(self, orders: RepeatOrders) -> Floats:
        """Logarithm of the likelihood of having left right after the last order."""
        shape = self.r + self.regularity * orders.repeats
        paths = gammaln(shape) - shape * np.log(self.alpha + orders.last)
        return np.asarray(self._constant + paths + betaln(self.a + 1, self.b + orders.repeats))

    @property
    def _constant(self) -> float:
        return float(self.r * np.log(self.alpha) - gammaln(self.r) - betaln(self.a, self.b))
