"""What is in the orders of a made-up shop: mostly what suits the taste of who orders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from features.synthetic.order_days import Ints

ORDERS_AT_ONCE = 50_000
"""Orders whose weights of all products are in memory at the same time."""


class Baskets(Protocol):
    """A way in which products are chosen.

    A product suits the customers whose number is the same as its own, modulo `tastes`.
    """

    @property
    def products(self) -> int:
        """How many products the shop sells."""
        ...

    def choose(self, draw: np.random.Generator, customer: Ints, sizes: Ints) -> Ints:
        """Numbers of the products in the orders of `customer` (orders,), `sizes` (orders,) of each;
        of shape (order lines,), in the order of the orders.
        """
        ...


@dataclass(frozen=True)
class SomeTwice:
    """A product may be in an order more than once; each line is chosen by itself.

    The share `suiting` of lines suits the customer's taste. Product numbers are squares of even
    draws, so that low ones are popular.
    """

    products: int = 60
    tastes: int = 4
    suiting: float = 0.7

    def choose(self, draw: np.random.Generator, customer: Ints, sizes: Ints) -> Ints:
        """As `Baskets.choose`."""
        whose = np.repeat(customer, sizes)
        popular = (self.products * draw.random(len(whose)) ** 2).astype(np.int64)
        suits = popular // self.tastes * self.tastes + whose % self.tastes
        return np.where(draw.random(len(whose)) < self.suiting, suits, popular)


@dataclass(frozen=True)
class EachOnce:
    """The products of an order differ: drawn without putting back, by weight.

    What suits the customer's taste weighs `liking` times as much as the rest, and product number n
    (1 + n) ** -`popularity` times as much as the first.
    """

    products: int = 60
    tastes: int = 4
    liking: float = 12.0
    popularity: float = 0.5

    def choose(self, draw: np.random.Generator, customer: Ints, sizes: Ints) -> Ints:
        """As `Baskets.choose`; the largest of weights with Gumbel noise are a weighted draw without
        putting back (Efraimidis and Spirakis, Information Processing Letters 2006).
        """
        product = np.arange(self.products)
        suits = product % self.tastes == np.arange(self.tastes)[:, None]
        weights = np.log(np.where(suits, self.liking, 1.0)) - self.popularity * np.log1p(product)
        chosen = []
        for begin in range(0, len(customer), ORDERS_AT_ONCE):
            part = slice(begin, begin + ORDERS_AT_ONCE)
            noisy = weights[customer[part] % self.tastes]
            noisy = noisy + draw.gumbel(size=noisy.shape)
            best = np.argsort(-noisy, axis=1, kind="stable")[:, : sizes[part].max()]
            chosen.append(best[np.arange(best.shape[1]) < sizes[part, None]])
        return np.concatenate(chosen)
