"""When the customers of a made-up shop order: each at a rate of their own, until they leave."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


class OrderDays(NamedTuple):
    """The orders of a made-up shop, by customer.

    `customer` (orders,) is the number of who orders, 0 and up; `day` (orders,) when, in days since
    the shop opened; `rates` (customers,) how many orders a day each customer places while they
    stay; `leaves` (customers,) until which day each stays.
    """

    customer: Ints
    day: Floats
    rates: Floats
    leaves: Floats


class OrderProcess(Protocol):
    """A way in which customers order; every one of them orders at least once."""

    def order_days(self, draw: np.random.Generator, customers: int, days: int) -> OrderDays:
        """The orders of so many customers within so many days."""
        ...


@dataclass(frozen=True)
class OwnRhythm:
    """A customer orders again after a day and an exponential wait; each has one of the `rhythms`.

    First orders come evenly within `last_arrival` (a share of the days). `most_orders` bounds how
    often a customer orders again. With `ends_alike` the only order of the last day is the first
    customer's, so that all shops of as many days end on the same day.
    """

    rhythms: tuple[float, ...] = (6.0, 14.0, 28.0, 45.0)
    """Mean waits in days."""
    last_arrival: float = 0.7
    mean_stay_days: float = 150.0
    most_orders: int = 12
    ends_alike: bool = False

    def order_days(self, draw: np.random.Generator, customers: int, days: int) -> OrderDays:
        """As `OrderProcess.order_days`, the oldest of a customer first."""
        rhythm = draw.choice(self.rhythms, size=(customers, 1))
        waits = draw.exponential(rhythm, size=(customers, self.most_orders))
        first = draw.uniform(0, self.last_arrival * days, size=(customers, 1))
        day = np.hstack([first, first + np.cumsum(1 + waits, axis=1)])
        leaves = first + draw.exponential(self.mean_stay_days, size=(customers, 1))
        stays = day < np.minimum(leaves, days - 1)
        stays[:, 0] = True
        if self.ends_alike:
            day[0, 0] = days - 0.5
        customer, which = np.nonzero(stays)
        return OrderDays(customer, day[customer, which], 1 / (1 + rhythm[:, 0]), leaves[:, 0])


@dataclass(frozen=True)
class AtRandom:
    """Orders come at random, at a rate of each customer's own, until they leave, unseen
    (Pareto/NBD: Schmittlein, Morrison and Colombo, Management Science 1987).

    First orders come evenly within `last_arrival` (a share of the days), but for those of the first
    `on_first_day` customers, who come within a day.
    """

    on_first_day: int = 0
    last_arrival: float = 0.9
    mean_wait_days: float = 35.0
    mean_stay_days: float = 250.0
    likeness: float = 1.2
    """Shape of the gamma distribution of rates: the smaller it is, the more customers differ."""

    def order_days(self, draw: np.random.Generator, customers: int, days: int) -> OrderDays:
        """As `OrderProcess.order_days`, the first of a customer first."""
        arrival = draw.uniform(0, self.last_arrival * days, customers)
        arrival[: self.on_first_day] /= self.last_arrival * days
        stay = np.minimum(draw.exponential(self.mean_stay_days, customers), days - arrival)
        rates = draw.gamma(self.likeness, 1 / self.likeness, customers) / self.mean_wait_days
        customer = np.repeat(np.arange(customers), 1 + draw.poisson(rates * stay))
        first = np.diff(customer, prepend=-1) > 0
        within = np.where(first, 0.0, draw.random(len(customer)))
        day = arrival[customer] + within * stay[customer]
        return OrderDays(customer, day, rates, arrival + stay)
