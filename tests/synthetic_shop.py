"""The made-up shop of the tests: a few hundred customers with tastes, who order again and some day
no more, and what they agreed to.
"""

from __future__ import annotations

from datetime import UTC
from itertools import starmap
from pathlib import Path

import pandas as pd

from features.catalog import Catalog
from features.consent.ledger import ConsentEvent
from features.synthetic import shop
from features.synthetic.consents import choices, of_every_kind
from features.synthetic.presets import ABROAD, HOME, SEED, TESTED

__all__ = ["ABROAD", "BEGIN", "CUSTOMERS", "END", "HOME", "consents", "refusals", "write_orders"]

CUSTOMERS = TESTED.customers
BEGIN, END = shop.BEGIN.replace(tzinfo=UTC), TESTED.end.replace(tzinfo=UTC)

refusals = of_every_kind
"""The categories that a customer refuses; None for somebody who was never asked."""


def order_lines(seed: int = SEED) -> pd.DataFrame:
    """Order lines as the shop exports them, oldest first; `ordered_at` is text."""
    lines = TESTED.draw(seed).lines.drop(columns="amount")
    moments = lines["ordered_at"].dt.strftime("%Y-%m-%d %H:%M:%S")
    return lines.assign(ordered_at=moments).sort_values(
        "ordered_at", kind="stable", ignore_index=True
    )


def write_orders(file: Path) -> Path:
    """The shop's export of its orders as CSV."""
    order_lines().to_csv(file, index=False)
    return file


def consents(catalog: Catalog) -> list[ConsentEvent]:
    """What the customers said: most allow everything, some refuse one or two categories, some
    everything, some were never asked.
    """
    ids = [TESTED.customer_id(number) for number in range(CUSTOMERS)]
    return list(starmap(ConsentEvent, choices(catalog, ids, refusals)))
