"""A made-up shop, drawn from a preset and a seed: its order lines as it would export them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from features.synthetic.baskets import Baskets
from features.synthetic.beside_orders import BesideOrders, Drawn
from features.synthetic.order_days import Floats, Ints, OrderDays, OrderProcess

BEGIN = datetime(2024, 1, 1)  # noqa: DTZ001 - the warehouse's times are naive UTC
"""When every made-up shop opens."""
OPENS, CLOSES = 9 * 3_600, 20 * 3_600
"""Seconds of a day between which orders come."""
SECONDS_PER_DAY = 86_400
MOST_LINES, MOST_PIECES = 4, 5
"""Of an order, and of a line."""
PRICES = (0.5, 40.0)
ORDERS_BEFORE_MOVING = 2


@dataclass(frozen=True)
class Preset:
    """What a made-up shop is like; with a seed it is a shop.

    `countries` are those where customers live, by `shares`. The share `moving` of them moves to the
    next country after two orders. `customer_ids` turns the number of a customer into the shop's id.
    """

    customers: int
    process: OrderProcess
    baskets: Baskets
    customer_ids: str
    countries: tuple[str, ...]
    shares: tuple[float, ...]
    days: int = 300
    moving: float = 0.0
    beside: BesideOrders | None = None
    """What customers do beside ordering; nothing where it is None."""

    @property
    def end(self) -> datetime:
        """The midnight after the last day (naive UTC)."""
        return BEGIN + timedelta(days=self.days)

    def customer_id(self, number: int) -> str:
        """The shop's id of a customer, by their number (0 and up)."""
        return self.customer_ids.format(number)

    def draw(self, seed: int) -> SyntheticShop:
        """The shop of `seed`; the same every time."""
        draw = np.random.default_rng(seed)
        orders = self.process.order_days(draw, self.customers, self.days)
        sizes = draw.integers(1, MOST_LINES + 1, len(orders.day))
        order = np.repeat(np.arange(len(sizes)), sizes)
        product = self.baskets.choose(draw, orders.customer, sizes)
        quantity = draw.integers(1, MOST_PIECES + 1, len(order))
        price = prices(self.baskets.products)[product]
        nth = _nth(orders)
        country = self._countries(draw, orders, nth)
        moment = _moments(draw, orders.day)
        whose = [self.customer_id(number) for number in range(self.customers)]
        order_ids = [
            f"o{number:03}-{which:03}"
            for number, which in zip(orders.customer.tolist(), nth.tolist(), strict=True)
        ]
        lines = {
            "customer_id": np.array(whose, object)[orders.customer][order],
            "order_id": np.array(order_ids, object)[order],
            "product_id": [f"p{number:02}" for number in product.tolist()],
            "title": [f"Product {number}" for number in product.tolist()],
            "country": country[order],
            "ordered_at": moment[order],
            "quantity": quantity,
            "unit_price": price,
            "amount": np.round(quantity * price, 2),
        }
        if self.beside is None:
            return SyntheticShop(pd.DataFrame(lines))
        # by a draw of its own: with or without, the orders are the same
        own = np.random.default_rng([seed, 1])
        made = self.beside.draw(own, orders, order, product, self.baskets, self.days)
        return SyntheticShop(pd.DataFrame(lines), self._exported(made, whose))

    def _exported(self, made: Drawn, whose: list[str]) -> pd.DataFrame:
        """Interactions as the shop exports them."""
        product_ids = [None if number < 0 else f"p{number:02}" for number in made.product.tolist()]
        moment = np.datetime64(BEGIN, "us") + (made.day * SECONDS_PER_DAY).astype("timedelta64[s]")
        named = {
            "customer_id": np.array(whose, object)[made.customer],
            "kind": made.kind,
            "occurred_at": moment,
            "product_id": product_ids,
            "ticket": made.ticket,
            "rating": made.rating,
        }
        return pd.DataFrame(named).sort_values("occurred_at", kind="stable", ignore_index=True)

    def _countries(self, draw: np.random.Generator, orders: OrderDays, nth: Ints) -> np.ndarray:
        """Where the customer of each order lives when they order."""
        home = draw.choice(len(self.countries), size=self.customers, p=self.shares)
        at = home[orders.customer]
        if self.moving:
            moves = draw.random(self.customers) < self.moving
            at = at + (moves[orders.customer] & (nth >= ORDERS_BEFORE_MOVING))
        return np.array(self.countries, object)[at % len(self.countries)]


@dataclass(frozen=True)
class SyntheticShop:
    """What a made-up shop recorded.

    `lines` has one row per order line, by customer: customer_id, order_id, product_id, title,
    country (str), ordered_at (datetime64[us]), quantity (int64), unit_price and amount (float64).
    `interactions` has one row for each: customer_id, kind, product_id, ticket, rating (str),
    occurred_at (datetime64[us]).
    """

    lines: pd.DataFrame
    interactions: pd.DataFrame | None = None

    @property
    def customer_ids(self) -> list[str]:
        """The shop's ids of its customers."""
        return sorted(self.lines["customer_id"].unique())

    def write(self, file: Path) -> Path:
        """The shop's export as CSV."""
        self.lines.drop(columns="amount").to_csv(file, index=False, date_format="%Y-%m-%d %H:%M:%S")
        return file

    def write_all(self, folder: Path) -> list[Path]:
        """Orders as `orders.csv` and, where there are any, interactions as `interactions.csv`."""
        files = [self.write(folder / "orders.csv")]
        if self.interactions is not None:
            files.append(folder / "interactions.csv")
            self.interactions.to_csv(files[-1], index=False, date_format="%Y-%m-%d %H:%M:%S")
        return files


def prices(products: int) -> Floats:
    """What each of so many products costs (products,), the same in every shop."""
    return np.round(np.random.default_rng(products).uniform(*PRICES, products), 2)


def _nth(orders: OrderDays) -> Ints:
    """Which order of their customer's each is, from 0."""
    first = np.flatnonzero(np.diff(orders.customer, prepend=-1))
    counts = np.diff(first, append=len(orders.customer))
    return np.arange(len(orders.customer)) - np.repeat(first, counts)


def _moments(draw: np.random.Generator, days: Floats) -> np.ndarray:
    seconds = np.floor(days) * SECONDS_PER_DAY + draw.integers(OPENS, CLOSES, len(days))
    return np.datetime64(BEGIN, "us") + seconds.astype("timedelta64[s]")
