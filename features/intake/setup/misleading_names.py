"""Names of columns that mislead: an `amount` that counts units, a `price` that is for the whole
line.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from features.intake.setup.column_facts import ColumnFacts
from features.tables.declared.transactions import AMOUNT, PRODUCT_ID, QUANTITY, UNIT_PRICE

FEW_UNITS = 20
"""A shop's usual line has no more units, which tells a number of units from a sum of money."""


@dataclass(frozen=True)
class Found:
    """The file's name or names of a column, why it was taken, and whether that is sure."""

    name: str | tuple[str, ...]
    why: str
    sure: bool = True

    @property
    def first(self) -> str:
        """The first of its names."""
        return self.name if isinstance(self.name, str) else self.name[0]


def put_right(facts: Mapping[str, ColumnFacts], found: dict[str, Found]) -> dict[str, Found]:
    """Names that mislead: an `amount` of units, a `price` of the whole line."""
    amount, price, quantity = (found.get(column) for column in (AMOUNT, UNIT_PRICE, QUANTITY))
    if (
        amount
        and price
        and not quantity
        and facts[amount.first].is_whole
        and facts[amount.first].numbers.median() <= FEW_UNITS
    ):
        quantity = Found(
            amount.name, "its cells are small whole numbers beside a price", sure=False
        )
        amount = None
    if price and quantity and not amount and _is_of_line(facts, price.first, quantity.first, found):
        amount, price = (
            Found(
                price.name,
                "it grows with the number of units, so it is for the whole line",
                sure=False,
            ),
            None,
        )
    told = {AMOUNT: amount, UNIT_PRICE: price, QUANTITY: quantity}
    return {
        **{c: f for c, f in found.items() if c not in told},
        **{c: f for c, f in told.items() if f is not None},
    }


def _is_of_line(
    facts: Mapping[str, ColumnFacts], price: str, quantity: str, found: Mapping[str, Found]
) -> bool:
    """Whether lines of a product with more units cost more in proportion."""
    if PRODUCT_ID not in found:
        return False
    lines = pd.DataFrame(
        {
            "product": facts[found[PRODUCT_ID].first].values,
            "price": facts[price].numbers,
            "units": facts[quantity].numbers,
        }
    )
    lines = lines[(lines["price"] > 0) & (lines["units"] > 0)]
    usual = lines[lines["units"] == 1].groupby("product")["price"].median().rename("usual")
    several = lines[lines["units"] > 1].join(usual, on="product", how="inner")
    if several.empty:
        return False
    growth = np.log(several["price"] / several["usual"]) / np.log(several["units"])
    return bool(growth.median() > 0.5)
