"""What kind of table a file holds: order lines or products, and whether an order's own columns
stand on its first line alone.
"""

from __future__ import annotations

from collections.abc import Mapping

from features.intake.setup.column_facts import ColumnFacts
from features.intake.setup.column_synonyms import SPELLINGS, rank
from features.tables.declared.products import PRODUCT_ID
from features.tables.declared.transactions import (
    CUSTOMER_EMAIL,
    ORDER_ID,
    ORDERED_AT,
    QUANTITY,
)
from features.tables.table import CUSTOMER_ID

FEWEST_FILLED = 0.02
TELLING = len(SPELLINGS[ORDER_ID]) - 2
"""All names of an order's number but `id` and `name`, which may be anything's."""
FEWEST_SHARED = 2
"""Columns whose gaps say that an order's own stand on its first line alone: a customer and a moment
at least.
"""


def is_products(facts: Mapping[str, ColumnFacts]) -> bool:
    """Whether a table has products, and neither customers nor orders."""
    if _named(facts, ORDER_ID, TELLING) and not any(
        its.values.is_unique for its in _named(facts, PRODUCT_ID, len(SPELLINGS[PRODUCT_ID]))
    ):
        return False  # lines of orders, whose customers stand in another file
    named = {
        column
        for column in (PRODUCT_ID, CUSTOMER_ID, ORDERED_AT, ORDER_ID, QUANTITY)
        if any(
            place is not None and place < len(SPELLINGS[column]) and its.filled > 0
            for name, its in facts.items()
            for place in (rank(name, SPELLINGS[column]),)
        )
    }
    return PRODUCT_ID in named and not named & {CUSTOMER_ID, ORDERED_AT}


def _named(facts: Mapping[str, ColumnFacts], column: str, places: int) -> list[ColumnFacts]:
    """The columns whose names are among the first `places` of those for `column`."""
    ranked = ((rank(name, SPELLINGS[column]), its) for name, its in facts.items())
    return [its for place, its in ranked if place is not None and place < places]


def is_filled_down(facts: Mapping[str, ColumnFacts]) -> bool:
    """Whether an order's columns stand on its first line alone: a customer's or a moment's cells
    are empty just where an order goes on.
    """
    orders = [
        its
        for name, its in facts.items()
        if rank(name, SPELLINGS[ORDER_ID]) is not None and its.filled > FEWEST_FILLED
    ]
    shared = [
        its
        for name, its in facts.items()
        for column in (CUSTOMER_ID, CUSTOMER_EMAIL, ORDERED_AT)
        if rank(name, SPELLINGS[column]) is not None and FEWEST_FILLED < its.filled < 1
    ]
    return any(
        sum(_goes_on(order, its) for its in shared if its is not order) >= FEWEST_SHARED
        for order in orders
    )


def _goes_on(order: ColumnFacts, its: ColumnFacts) -> bool:
    number = order.values.astype("object")
    whole = number.where(number.notna()).ffill()
    first = (whole != whole.shift()).to_numpy()
    empty = its.values.isna().to_numpy()
    if first.all() or not empty.any():
        return False
    return bool((empty & first).sum() <= 0.1 * first.sum() and empty[~first].mean() > 0.9)
