"""Made-up shops, drawn from a seed: customers with tastes and rhythms of their own who order again
and some day no more.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

ORDERS = "orders"
"""Name of the one data source."""
BEGIN = datetime(2024, 1, 1)  # noqa: DTZ001 - the warehouse's times are naive UTC
DAYS = 300
END = BEGIN + timedelta(days=DAYS)
PRODUCTS = 60
TASTES = 4
RHYTHMS = (6.0, 14.0, 28.0, 45.0)
MOST_ORDERS = 12
HOME, ABROAD = "United Kingdom", "France"
COUNTRIES = (HOME, ABROAD, "Ireland")
SECONDS_PER_DAY = 86_400


@dataclass(frozen=True)
class World:
    """What a shop recorded.

    `lines` has one row per order line: customer_id, order_id, product_id, title, country (str),
    ordered_at (datetime64[us]), quantity (int64), unit_price and amount (float64).
    """

    lines: pd.DataFrame

    @property
    def customer_ids(self) -> list[str]:
        """The shop's ids of its customers; the first of them orders at the very end, so that every
        world ends alike.
        """
        return sorted(self.lines["customer_id"].unique())

    def write(self, file: Path) -> Path:
        """The shop's export as CSV."""
        self.lines.drop(columns="amount").to_csv(file, index=False, date_format="%Y-%m-%d %H:%M:%S")
        return file


def customer_id(number: int) -> str:
    """The shop's id of a customer."""
    return f"made-up-{number:05}"


def draw_world(seed: int, customers: int) -> World:
    """The world of `seed`; the same every time."""
    draw = np.random.default_rng(seed)
    whose, days = _order_days(draw, customers)
    sizes = draw.integers(1, 5, len(days))
    order = np.repeat(np.arange(len(days)), sizes)
    product = _products(draw, whose[order])
    quantity = draw.integers(1, 6, len(order))
    price = np.round(np.random.default_rng(PRODUCTS).uniform(0.5, 40, PRODUCTS), 2)[product]
    country = draw.choice(COUNTRIES, size=customers, p=(0.6, 0.3, 0.1))
    lines = {
        "customer_id": [customer_id(number) for number in whose[order].tolist()],
        "order_id": [f"o{seed}-{number:06}" for number in order],
        "product_id": [f"p{number:02}" for number in product],
        "title": [f"Product {number}" for number in product],
        "country": country[whose[order]],
        "ordered_at": _moments(draw, days)[order],
        "quantity": quantity,
        "unit_price": price,
        "amount": np.round(quantity * price, 2),
    }
    return World(pd.DataFrame(lines))


def _order_days(
    draw: np.random.Generator, customers: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Who orders on which day: each at a rhythm of their own, until they leave."""
    waits = draw.exponential(
        draw.choice(RHYTHMS, size=(customers, 1)), size=(customers, MOST_ORDERS)
    )
    first = draw.uniform(0, 0.7 * DAYS, size=(customers, 1))
    days = np.hstack([first, first + np.cumsum(1 + waits, axis=1)])
    stays = days < np.minimum(first + draw.exponential(150, size=(customers, 1)), DAYS - 1)
    stays[:, 0] = True
    days[0, 0] = DAYS - 0.5
    whose, which = np.nonzero(stays)
    return whose, days[whose, which]


def _moments(draw: np.random.Generator, days: NDArray[np.float64]) -> NDArray[np.datetime64]:
    seconds = np.floor(days) * SECONDS_PER_DAY + draw.integers(9 * 3_600, 20 * 3_600, len(days))
    return np.datetime64(BEGIN, "us") + seconds.astype("timedelta64[s]")


def _products(draw: np.random.Generator, whose: NDArray[np.int64]) -> NDArray[np.int64]:
    """Mostly what suits a customer's taste, and what is popular more often than the rest."""
    popular = (PRODUCTS * draw.random(len(whose)) ** 2).astype(np.int64)
    suits = popular // TASTES * TASTES + whose % TASTES
    return np.where(draw.random(len(whose)) < 0.7, suits, popular)
