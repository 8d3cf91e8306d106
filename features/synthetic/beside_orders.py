"""What the customers of a made-up shop do beside ordering: they look at products, read e-mails, ask
for help and send things back. Whether that tells of their orders is planted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from features.synthetic.baskets import Baskets
from features.synthetic.order_days import Floats, Ints, OrderDays

NO_PRODUCT = -1
EMAIL_EVERY_DAYS = 7
RATED_WELL, RATED_BADLY = ("4", "5"), ("1", "2")


class Drawn(NamedTuple):
    """Interactions by row: `customer`, `product` (`NO_PRODUCT` for none) int64, `day` float64 since
    the shop opened; `kind`, `ticket` and `rating` are texts, empty where there is none.
    """

    customer: Ints
    day: Floats
    product: Ints
    kind: np.ndarray
    ticket: np.ndarray
    rating: np.ndarray


class Part(NamedTuple):
    """Some interactions of one kind."""

    kind: str
    customer: Ints
    day: Floats
    product: Ints | None = None
    ticket: np.ndarray | None = None
    rating: np.ndarray | None = None


@dataclass(frozen=True)
class BesideOrders:
    """How customers behave.

    They visit at random (`visits_per_week`), look at the share `viewed` of what they order in the
    days before, and open the share `opened` of weekly e-mails while they stay. The share `troubled`
    of who leaves asked for help and sent something back within `trouble_days` before, and was not
    helped; some of the others do so too (`usual`), and are.

    Where it is not `telling`, the same happens to customers and products by chance.
    """

    visits_per_week: float = 0.7
    viewed: float = 0.35
    opened: float = 0.5
    opened_when_gone: float = 0.05
    troubled: float = 0.5
    trouble_days: float = 25.0
    usual: float = 0.15
    telling: bool = True

    def draw(
        self,
        draw: np.random.Generator,
        orders: OrderDays,
        order: Ints,
        product: Ints,
        baskets: Baskets,
        days: int,
    ) -> Drawn:
        """The interactions beside `orders`, whose lines are of the orders `order` (lines,) and of
        products `product` (lines,), within so many days.
        """
        count = len(orders.leaves)
        first = np.full(count, np.inf)
        np.minimum.at(first, orders.customer, orders.day)
        gone = np.minimum(orders.leaves, days - 1.0)
        if not self.telling:
            gone = first + (days - 1.0 - first) * draw.random(count)
            product = baskets.choose(draw, orders.customer[order], np.ones(len(order), np.int64))
        parts = [
            *self._visits(draw, first, gone, baskets),
            *self._looks(draw, orders.customer[order], orders.day[order], product),
            *self._emails(draw, first, gone, days),
            *self._troubles(draw, first, gone, days),
        ]
        return _together([part for part in parts if len(part.day)])

    def _visits(
        self, draw: np.random.Generator, first: Floats, gone: Floats, baskets: Baskets
    ) -> Iterator[Part]:
        """Looks at products while a customer stays, some of which are put into the basket."""
        stay = np.maximum(gone - first, 0.0)
        customer = np.repeat(np.arange(len(first)), draw.poisson(self.visits_per_week / 7 * stay))
        day = first[customer] + draw.random(len(customer)) * stay[customer]
        product = baskets.choose(draw, customer, np.ones(len(customer), dtype=np.int64))
        yield Part("view", customer, day, product)
        left = draw.random(len(customer)) < self.usual
        yield Part("cart", customer[left], day[left] + 0.01, product[left])

    def _looks(
        self, draw: np.random.Generator, customer: Ints, ordered: Floats, product: Ints
    ) -> Iterator[Part]:
        """Looks at what is ordered some days later, and a part of that in the basket before."""
        day = np.floor(ordered) - draw.uniform(0.1, 6.0, len(customer))
        looked = (draw.random(len(customer)) < self.viewed) & (day > 0)
        yield Part("view", customer[looked], day[looked], product[looked])
        filled = looked & (draw.random(len(customer)) < self.usual)
        yield Part("cart", customer[filled], day[filled] + 0.01, product[filled])

    def _emails(
        self, draw: np.random.Generator, first: Floats, gone: Floats, days: int
    ) -> Iterator[Part]:
        """An e-mail a week from the first order on, to everybody."""
        sent = np.arange(0.5, days - 1, EMAIL_EVERY_DAYS)
        customer, which = np.nonzero(sent[None, :] > first[:, None])
        day = sent[which]
        yield Part("email_sent", customer, day)
        share = np.where(day < gone[customer], self.opened, self.opened_when_gone)
        read = draw.random(len(day)) < share
        yield Part("email_opened", customer[read], day[read] + 0.1)

    def _troubles(
        self, draw: np.random.Generator, first: Floats, gone: Floats, days: int
    ) -> Iterator[Part]:
        """Tickets that stay open and returns before somebody leaves, settled ones at any time."""
        leaving = gone < days - 1
        troubled = np.flatnonzero(leaving & (draw.random(len(first)) < self.troubled))
        before = gone[troubled] - draw.uniform(0, self.trouble_days, len(troubled))
        bad = np.maximum(before, first[troubled] + 0.5)
        names = np.array([f"t{number}" for number in troubled], object)
        yield Part("ticket_opened", troubled, bad, ticket=names)
        answered = draw.random(len(troubled)) < 0.5
        marks = draw.choice(RATED_BADLY, len(troubled)).astype(object)
        yield Part(
            "ticket_closed",
            troubled[answered],
            bad[answered] + 1,
            ticket=names[answered],
            rating=marks[answered],
        )
        yield Part("return", troubled, bad + 0.2)
        usual = np.flatnonzero(draw.random(len(first)) < 2 * self.usual)
        day = first[usual] + draw.random(len(usual)) * (days - 2.5 - first[usual]).clip(0)
        names = np.array([f"u{number}" for number in usual], object)
        yield Part("ticket_opened", usual, day, ticket=names)
        marks = draw.choice(RATED_WELL, len(usual)).astype(object)
        yield Part("ticket_closed", usual, day + 1, ticket=names, rating=marks)
        back = draw.random(len(usual)) < 0.5
        yield Part("return", usual[back], day[back])


def _together(parts: list[Part]) -> Drawn:
    """All parts, one after the other."""
    empty = [np.full(len(part.day), "", object) for part in parts]
    return Drawn(
        np.concatenate([part.customer for part in parts]),
        np.concatenate([part.day for part in parts]),
        np.concatenate(
            [
                np.full(len(part.day), NO_PRODUCT) if part.product is None else part.product
                for part in parts
            ]
        ),
        np.concatenate([np.full(len(part.day), part.kind, object) for part in parts]),
        np.concatenate(
            [
                none if part.ticket is None else part.ticket
                for part, none in zip(parts, empty, strict=True)
            ]
        ),
        np.concatenate(
            [
                none if part.rating is None else part.rating
                for part, none in zip(parts, empty, strict=True)
            ]
        ),
    )
