"""Transactions: the order lines, each a product that a customer bought.

A source without `order_id` has one order per customer and moment, one without `quantity` one unit
a line, and one of `unit_price` and `amount` follows from the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from features.tables.declared import products
from features.tables.table import CatalogEntry, Column, Events, Kind, StandardCategory

if TYPE_CHECKING:
    import pandas as pd

NAME = "transactions"
ORDER_ID = "order_id"
PRODUCT_ID = products.PRODUCT_ID
QUANTITY = "quantity"
UNIT_PRICE = "unit_price"
AMOUNT = "amount"
ORDERED_AT = "ordered_at"


def _order_of_customer_at_moment(rows: pd.DataFrame) -> pd.Series:
    """A line without an order number belongs to the order of its customer at its moment."""
    return rows.customer.astype("str") + "-" + rows.ordered_at.astype("int64").astype("str")


def _one(_rows: pd.DataFrame) -> int:
    return 1


def _price_of_one(rows: pd.DataFrame) -> pd.Series:
    return rows.amount / rows.quantity.where(rows.quantity != 0, 1)


def _price_of_all(rows: pd.DataFrame) -> pd.Series:
    return rows.quantity * rows.unit_price


TABLE = Events(
    name=NAME,
    happened_at=ORDERED_AT,
    columns=(
        Column(
            ORDER_ID,
            Kind.ID,
            if_empty=_order_of_customer_at_moment,
            entry=CatalogEntry("purchases", "Your orders"),
        ),
        Column(
            PRODUCT_ID,
            Kind.ID,
            required=True,
            entry=CatalogEntry("purchases", "Products you bought"),
        ),
        Column(
            QUANTITY,
            Kind.QUANTITY,
            derived=_one,
            entry=CatalogEntry("purchases", "How many of each you bought"),
        ),
        Column(
            UNIT_PRICE,
            Kind.PRICE,
            derived=_price_of_one,
            entry=CatalogEntry("spending", "Prices of what you bought"),
        ),
        Column(
            AMOUNT,
            Kind.PRICE,
            derived=_price_of_all,
            tells_apart=False,
            entry=CatalogEntry("spending", "What you paid"),
        ),
        Column(
            ORDERED_AT,
            Kind.MOMENT,
            required=True,
            entry=CatalogEntry("order_times", "When you ordered"),
        ),
    ),
    one_of=((UNIT_PRICE, AMOUNT),),
    categories=(
        StandardCategory(
            "purchases",
            "What you bought",
            "The products in your orders and in your basket, and how many of each.",
            spoken="what you bought",
        ),
        StandardCategory(
            "order_times",
            "When you ordered",
            "The days and times of your orders.",
            spoken="when you ordered",
        ),
        StandardCategory(
            "spending",
            "How much you spent",
            "The prices and totals of your orders.",
            spoken="how much you spent",
        ),
    ),
)
