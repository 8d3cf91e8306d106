"""Pareto/NBD: orders come at random until, at some moment nobody sees, the customer is gone for
good.

Schmittlein, Morrison, Colombo, Management Science 33 (1987), in the form of Fader and Hardie, "A
note on deriving the Pareto/NBD model and related expressions" (2005).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, gammaln, hyp2f1

from models.arrays import Floats
from models.repeat_orders.likelihood import maximised
from models.repeat_orders.recency_frequency import RepeatOrders


@dataclass(frozen=True)
class ParetoNbd:
    """Rates of ordering are Gamma(`r`, `alpha`), rates of leaving Gamma(`s`, `beta`), both a
    day.
    """

    r: float
    alpha: float
    s: float
    beta: float

    @classmethod
    def fit(cls, orders: RepeatOrders) -> ParetoNbd:
        """By maximum likelihood. Raises `TrainingError` where no maximum is found."""
        return maximised(cls, ("alpha", "beta"), orders)

    def log_likelihood(self, orders: RepeatOrders) -> Floats:
        """Of each customer, shape (customers,)."""
        x = orders.repeats
        alive, gone = _paths(self.r + x, self.alpha, self.s, self.beta, orders.last, orders.known)
        constant = (
            gammaln(self.r + x)
            - gammaln(self.r)
            + self.r * np.log(self.alpha)
            + self.s * np.log(self.beta)
        )
        return np.asarray(constant + np.logaddexp(alive, gone))

    def alive(self, orders: RepeatOrders) -> Floats:
        """Probability that each customer is not yet gone, shape (customers,)."""
        alive, gone = _paths(
            self.r + orders.repeats, self.alpha, self.s, self.beta, orders.last, orders.known
        )
        return np.asarray(expit(alive - gone), dtype=np.float64)

    def no_order(self, orders: RepeatOrders, days: float) -> Floats:
        """Probability that each customer orders nothing within `days`, shape (customers,).

        Whoever is alive is a new customer whose rates have the posterior distributions, so the same
        likelihood tells how likely their silence is.
        """
        shape, rate, leaving = (
            self.r + orders.repeats,
            self.alpha + orders.known,
            self.beta + orders.known,
        )
        alive, gone = _paths(
            shape, rate, self.s, leaving, np.zeros_like(rate), np.full_like(rate, days)
        )
        silent = np.exp(shape * np.log(rate) + self.s * np.log(leaving) + np.logaddexp(alive, gone))
        return np.asarray(1 - self.alive(orders) * (1 - silent), dtype=np.float64)


def _paths(
    shape: Floats,
    alpha: float | Floats,
    s: float,
    beta: float | Floats,
    last: Floats,
    known: Floats,
) -> tuple[Floats, Floats]:
    """Logarithms of the two ways to have been silent since `last`, but for a common factor: still
    alive, and gone by now.
    """
    alive = -shape * np.log(alpha + known) - s * np.log(beta + known)
    larger, second = np.maximum(alpha, beta), np.where(np.asarray(alpha) >= beta, s + 1, shape)
    gap, total = np.abs(np.asarray(alpha) - beta), shape + s

    def tail(since: Floats) -> Floats:
        power = hyp2f1(total, second, total + 1, gap / (larger + since))
        return np.asarray(np.log(power) - total * np.log(larger + since))

    early, late = tail(last), tail(known)
    with np.errstate(divide="ignore"):  # nobody can have left where no time has passed
        return np.asarray(alive), np.log(s / total) + early + np.log(
            -np.expm1(np.minimum(late - early, 0.0))
        )
