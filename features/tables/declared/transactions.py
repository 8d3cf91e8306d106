"""Transactions: the order lines, each a product that a customer bought.

A source without `order_id` has one order per customer and moment, one without `quantity` one unit
a line, and of `unit_price`, `amount` and `list_amount` (what a line costs before discounts) the
others follow from one. Status, discounts and refunds
are read to tell what was a purchase, and what was paid for it (`features.intake.purchases`).
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
CUSTOMER_EMAIL = "customer_email"
STATUS = "status"
CANCELLED_AT = "cancelled_at"
TEST = "test"
EVENT = "event"
CURRENCY = "currency"
LIST_AMOUNT = "list_amount"
DISCOUNT, ORDER_DISCOUNT = "discount", "order_discount"
DISCOUNT_PERCENT = "discount_percent"
REFUNDED_QUANTITY = "refunded_quantity"
REFUNDED_AMOUNT, ORDER_REFUND = "refunded_amount", "order_refund"


def _order_of_customer_at_moment(rows: pd.DataFrame) -> pd.Series:
    """A line without an order number belongs to the order of its customer at its moment."""
    return rows.customer.astype("str") + "-" + rows.ordered_at.astype("int64").astype("str")


def _one(_rows: pd.DataFrame) -> int:
    return 1


def _price_of_one(rows: pd.DataFrame) -> pd.Series:
    whole = rows[LIST_AMOUNT] if LIST_AMOUNT in rows else rows[AMOUNT]
    return whole / rows.quantity.where(rows.quantity != 0, 1)


def _price_of_all(rows: pd.DataFrame) -> pd.Series:
    return rows[LIST_AMOUNT] if LIST_AMOUNT in rows else rows.quantity * rows.unit_price


TABLE = Events(
    name=NAME,
    happened_at=ORDERED_AT,
    columns=(
        Column(
            ORDER_ID,
            Kind.ID,
            of_order=True,
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
            of_order=True,
            entry=CatalogEntry("order_times", "When you ordered"),
        ),
    ),
    only_read=(
        Column(CUSTOMER_EMAIL, Kind.ID, may_be_empty=True, of_order=True),
        Column(STATUS, Kind.TEXT, of_order=True),
        Column(CANCELLED_AT, Kind.TEXT, of_order=True),
        Column(TEST, Kind.TEXT, of_order=True),
        Column(EVENT, Kind.TEXT),
        Column(CURRENCY, Kind.TEXT, of_order=True),
        Column(LIST_AMOUNT, Kind.PRICE),
        Column(DISCOUNT, Kind.PRICE, may_be_empty=True),
        Column(DISCOUNT_PERCENT, Kind.PRICE, may_be_empty=True),
        Column(ORDER_DISCOUNT, Kind.PRICE, may_be_empty=True),
        Column(REFUNDED_QUANTITY, Kind.QUANTITY, may_be_empty=True),
        Column(REFUNDED_AMOUNT, Kind.PRICE, may_be_empty=True),
        Column(ORDER_REFUND, Kind.PRICE, may_be_empty=True),
    ),
    one_of=((UNIT_PRICE, AMOUNT, LIST_AMOUNT),),
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
