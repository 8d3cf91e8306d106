"""A made-up shop: a few hundred customers with tastes, who order again and some day no more, and
what they agreed to.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from features.catalog import Catalog
from features.consent.ledger import ConsentEvent

CUSTOMERS = 320
PRODUCTS = 60
TASTES = 4
DAYS = 300
BEGIN = datetime(2024, 1, 1, tzinfo=UTC)
END = BEGIN + timedelta(days=DAYS)
SEED = 20_240_101
HOME, ABROAD = "United Kingdom", "France"

COLUMNS = [
    "customer_id",
    "order_id",
    "product_id",
    "ordered_at",
    "quantity",
    "unit_price",
    "title",
    "country",
]


def order_lines(seed: int = SEED) -> pd.DataFrame:
    """Order lines in the columns `COLUMNS`, oldest first.

    A customer buys mostly what suits their taste (product number modulo `TASTES`), at their own
    rhythm, and may have left before the end. A tenth of all customers move to the other country
    with their third order.
    """
    draw = np.random.default_rng(seed)
    prices = np.round(draw.uniform(0.5, 40, PRODUCTS), 2)
    popularity = 1 / (1 + np.arange(PRODUCTS)) ** 0.5
    lines: list[tuple[object, ...]] = []
    for customer in range(CUSTOMERS):
        wait, day = float(draw.choice([6, 14, 28, 45])), float(draw.uniform(0, 200))
        leaves = day + float(draw.exponential(150))
        at_home, moves = bool(draw.random() < 0.7), bool(draw.random() < 0.1)
        likes = np.where(np.arange(PRODUCTS) % TASTES == customer % TASTES, 12.0, 1.0) * popularity
        number = 0
        while day < min(leaves, DAYS - 1):
            moment = BEGIN + timedelta(
                days=int(day), seconds=int(draw.integers(9 * 3_600, 20 * 3_600))
            )
            lives_at_home = at_home != (moves and number >= 2)
            chosen = draw.choice(
                PRODUCTS, size=int(draw.integers(1, 5)), replace=False, p=likes / likes.sum()
            )
            lines.extend(
                (
                    f"c{customer:03}",
                    f"o{customer:03}-{number:03}",
                    f"p{product:02}",
                    moment.strftime("%Y-%m-%d %H:%M:%S"),
                    int(draw.integers(1, 6)),
                    prices[product],
                    f"Product {product}",
                    HOME if lives_at_home else ABROAD,
                )
                for product in chosen.tolist()
            )
            number += 1
            day += 1 + float(draw.exponential(wait))
    return pd.DataFrame(lines, columns=COLUMNS).sort_values(
        "ordered_at", kind="stable", ignore_index=True
    )


def write_orders(file: Path) -> Path:
    """The shop's export of its orders as CSV."""
    order_lines().to_csv(file, index=False)
    return file


def refusals(customer: int, categories: tuple[str, ...]) -> tuple[str, ...] | None:
    """The categories that a customer refuses; None for somebody who was never asked."""
    kind = customer % 20
    if kind < 13:
        return ()
    if kind < 16:
        return (categories[customer // 20 % len(categories)],)
    if kind < 18:
        return (
            categories[customer // 20 % len(categories)],
            categories[(customer // 20 + 1) % len(categories)],
        )
    return categories if kind == 18 else None


def consents(catalog: Catalog) -> list[ConsentEvent]:
    """What the customers said: most allow everything, some refuse one or two categories, some
    everything, some were never asked.
    """
    events = []
    for customer in range(CUSTOMERS):
        for purpose in catalog.purposes:
            categories = catalog.askable(purpose)
            refused = refusals(customer, categories)
            if refused is None:
                continue
            version = catalog.current_notice(purpose).version
            for category in categories:
                said = "refused" if category in refused else "granted"
                events.append(
                    ConsentEvent(f"c{customer:03}", purpose, category, said, "web_form", version)
                )
    return events
