"""What a column must be before it is taken for something, whatever it is called: checked over its
cells, with the reason where it is not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
import pandas as pd

from features.intake.order_statuses import KNOWN, PURCHASES, bare
from features.intake.setup.column_facts import MOST, ColumnFacts
from features.tables.declared.products import BRAND, PRODUCT_CATEGORY, TITLE
from features.tables.declared.transactions import (
    AMOUNT,
    CURRENCY,
    CUSTOMER_EMAIL,
    DISCOUNT,
    DISCOUNT_PERCENT,
    EVENT,
    LIST_AMOUNT,
    ORDER_DISCOUNT,
    ORDER_ID,
    ORDERED_AT,
    PRODUCT_ID,
    QUANTITY,
    STATUS,
    UNIT_PRICE,
)
from features.tables.table import CUSTOMER_ID, Column, Kind

FILLED = 0.02
"""Share of cells below which a column counts as empty."""
WORDS_LOOKED_AT = 2_000
"""Distinct texts of a column of words that are looked at."""
FEW_ROWS = 8
"""In fewer rows even a column of one value may be what its name says."""
FEW_ORDERS = 5
"""With fewer orders of several lines, numbers of units may count up by chance."""
CLOSE = 0.02
PERCENT = re.compile(r"%|percent|prozent|pourcent|porcent|procent")
VIEWS = frozenset(("view", "viewed", "cart", "add_to_cart", "remove_from_cart", "click", "search"))


def fault_of(
    column: Column, its: ColumnFacts, found: Mapping[str, ColumnFacts], *, fill_down: bool = False
) -> str | None:
    """Why `its` cells cannot be those of `column`, beside the columns `found` so far; None where
    they can.

    `fill_down` says that an order's own columns stand on its first line alone.
    """
    if its.filled < FILLED:
        return "it is empty"
    least = MOST if column.required and not (fill_down and column.of_order) else 0.0
    if its.filled < least and not column.may_be_empty:
        return f"only {its.filled:.0%} of its cells are filled"
    return _fault_of_kind(column, its) or _fault_of_meaning(column.name, its, found)


def _fault_of_kind(column: Column, its: ColumnFacts) -> str | None:
    if column.kind is Kind.MOMENT and not its.is_moment:
        example = f", such as {its.texts[0]!r}" if its.texts else ""
        return f"its cells are no dates{example}"
    if column.kind.is_number and not its.is_amount:
        example = f", such as {its.texts[0]!r}" if its.texts else ""
        return f"its cells are no numbers{example}"
    return None


def _fault_of_meaning(name: str, its: ColumnFacts, found: Mapping[str, ColumnFacts]) -> str | None:
    many = len(its.values) >= FEW_ROWS and its.name != name
    if name in (CUSTOMER_ID, ORDER_ID, PRODUCT_ID) and many and its.distinct <= 1:
        return "all of its cells are the same"
    if name in (PRODUCT_ID, TITLE, ORDER_ID, PRODUCT_CATEGORY, BRAND) and its.is_mail:
        return "its cells are e-mail addresses"
    if name == CUSTOMER_EMAIL and not its.is_mail:
        return "its cells are no e-mail addresses"
    if name == LIST_AMOUNT and (UNIT_PRICE in found or AMOUNT not in found):
        return "what a line costs before discounts follows from its price"
    checks = {
        ORDER_ID: _fault_of_order,
        PRODUCT_ID: _fault_of_product,
        TITLE: _fault_of_title,
        QUANTITY: _fault_of_quantity,
        AMOUNT: _fault_of_amount,
        DISCOUNT: _fault_of_discount,
        ORDER_DISCOUNT: _fault_of_discount,
        DISCOUNT_PERCENT: _fault_of_percent,
    }
    return checks[name](its, found) if name in checks else _fault_of_words(name, its)


def _fault_of_words(name: str, its: ColumnFacts) -> str | None:
    words = (
        {bare(text) for text in its.texts[:WORDS_LOOKED_AT]} if name in (STATUS, EVENT) else set()
    )
    if name == STATUS and words.isdisjoint(KNOWN):
        return "none of its words is known as the state of an order"
    if name == EVENT and not (PURCHASES & words and VIEWS & words):
        return "its words are no kinds of events"
    if name == CURRENCY and not all(len(text) <= 3 for text in its.texts):
        return "its cells are no currencies"
    return None


def _fault_of_order(its: ColumnFacts, found: Mapping[str, ColumnFacts]) -> str | None:
    if its.is_moment and not its.is_number:
        return "its cells are dates"
    for other, words in ((ORDERED_AT, "moments"), (CUSTOMER_ID, "customers")):
        if other in found and not settles(its.values, found[other].values):
            return f"its cells stand beside several {words}"
    return None


def _fault_of_product(its: ColumnFacts, found: Mapping[str, ColumnFacts]) -> str | None:
    order = found.get(ORDER_ID)
    if order is None or len(its.values) < FEW_ROWS:
        return None
    repeated = len(order.values) > 1.3 * order.distinct
    if repeated and settles(order.values, its.values):
        return "all lines of an order share it"
    if is_line_number(its, order):
        return "it counts the lines of an order"
    return None


def _fault_of_title(its: ColumnFacts, found: Mapping[str, ColumnFacts]) -> str | None:
    customer, product = found.get(CUSTOMER_ID), found.get(PRODUCT_ID)
    if customer is not None and its.distinct > 1 and len(its.values) >= FEW_ROWS:
        of_customer = settles(customer.values, its.values) and settles(its.values, customer.values)
        of_product = product is not None and settles(product.values, its.values)
        if of_customer and not of_product:
            return "it says who the customer is"
    order = found.get(ORDER_ID)
    if order is not None and order.name != its.name and order.distinct > 1:
        same = order.values.astype("str").equals(its.values.astype("str"))
        return "it is the order's number" if same else None
    return None


def _fault_of_quantity(its: ColumnFacts, found: Mapping[str, ColumnFacts]) -> str | None:
    if not its.is_whole:
        return "its cells are no whole numbers"
    order = found.get(ORDER_ID)
    if order is not None and is_line_number(its, order):
        return "it counts the lines of an order"
    return None


def _fault_of_amount(its: ColumnFacts, found: Mapping[str, ColumnFacts]) -> str | None:
    price, quantity = found.get(UNIT_PRICE), found.get(QUANTITY)
    if price is None:
        return None
    units = quantity.numbers if quantity is not None else pd.Series(1.0, index=its.numbers.index)
    whole = price.numbers * units
    ratio = (its.numbers / whole.where(whole != 0))[(whole != 0)].dropna()
    fits = (ratio < 1 + CLOSE) & (ratio >= 0.3)
    exact = (ratio - 1).abs() < CLOSE
    if len(ratio) and fits.mean() >= MOST and exact.mean() >= 0.5:
        return None
    return "it does not agree with price times quantity"


def _fault_of_percent(its: ColumnFacts, found: Mapping[str, ColumnFacts]) -> str | None:
    if not PERCENT.search(its.name.casefold()):
        return "its name says nothing of percentages"
    return "the amount is after discounts" if AMOUNT in found else None


def _fault_of_discount(its: ColumnFacts, found: Mapping[str, ColumnFacts]) -> str | None:
    if PERCENT.search(its.name.casefold()):
        return "it holds percentages"
    if AMOUNT in found and UNIT_PRICE in found and QUANTITY in found:
        whole = found[UNIT_PRICE].numbers * found[QUANTITY].numbers
        if ((found[AMOUNT].numbers - whole).abs() > CLOSE * whole.abs()).any():
            return f"`{found[AMOUNT].name}` is what was paid after discounts"
    return None


def settles(one: pd.Series, other: pd.Series) -> bool:
    """Whether nearly every value of `one` stands beside a single value of `other`."""
    return bool((other.groupby(one.to_numpy()).nunique() <= 1).mean() > 0.95)


def is_line_number(its: ColumnFacts, order: ColumnFacts) -> bool:
    """Whether a column counts the lines of each order from 1 or 0."""
    if not its.is_whole or order.distinct == len(order.values):
        return False
    numbers = order.values.ffill()
    count = its.numbers.groupby(numbers.to_numpy()).cumcount()
    several = numbers.groupby(numbers.to_numpy()).transform("size") > 1
    if numbers[several].nunique() < FEW_ORDERS:
        return False
    steps = (its.numbers - count)[several.to_numpy()]
    return (
        len(steps) > 0
        and bool(np.isin(steps.to_numpy(), (0.0, 1.0)).mean() >= MOST)
        and bool((its.numbers[several.to_numpy()] > 1).any())
    )


def repeats(its: ColumnFacts) -> bool:
    """Whether most values stand in several rows."""
    return bool(1 < its.distinct < 0.9 * its.values.notna().sum())
