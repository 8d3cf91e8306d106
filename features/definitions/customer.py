"""Features of a customer at a moment: rhythm, variety, spending, home."""

from __future__ import annotations

import ibis
from ibis import Table
from ibis.expr.types import FloatingValue, NumericValue, TimestampValue

from features.definitions.definition import Definition, ShopFacts, defines
from features.warehouse.fields import (
    AMOUNT,
    COUNTRY,
    ORDER_ID,
    ORDERED_AT,
    PRODUCT_ID,
    QUANTITY,
    UNIT_PRICE,
)

SECONDS_PER_DAY = 86_400.0
MONEY_DIGITS = 4
FADING_DIGITS = 12


def days_between(earlier: TimestampValue, later: TimestampValue) -> FloatingValue:
    """Days from one moment to another, with fractions."""
    return (later.epoch_seconds() - earlier.epoch_seconds()) / SECONDS_PER_DAY


def exact_sum(amounts: NumericValue, digits: int = MONEY_DIGITS) -> NumericValue:
    """Sum to so many digits after the point, in whole numbers: it does not depend on the order in
    which threads add.
    """
    unit = 10**digits
    return (amounts * unit).round().cast("int64").sum() / unit


def fading(age: FloatingValue, over_days: float) -> FloatingValue:
    """Weight of what happened `age` days ago: 1 now, 1/e after `over_days`."""
    return (-age / over_days).exp()


@defines(
    "days_since_last_order",
    "days_since_first_order",
    "order_days",
    "order_days_last_30_days",
    "order_days_last_90_days",
    "days_between_orders",
    "overdue",
    reads=[ORDERED_AT],
)
def order_rhythm(rows: Table, _shop: ShopFacts) -> Table:
    """When a customer orders.

    `overdue` is the wait since the last order in units of the usual wait.
    """
    t = rows.mutate(day=rows.ordered_at.date(), age=days_between(rows.ordered_at, rows.as_of))
    seen = t.group_by("customer", "as_of").aggregate(
        days_since_last_order=t.age.min(),
        days_since_first_order=t.age.max(),
        order_days=t.day.nunique(),
        order_days_last_30_days=t.day.nunique(where=t.age <= 30),
        order_days_last_90_days=t.day.nunique(where=t.age <= 90),
    )
    waits = (seen.order_days - 1).nullif(0)
    usual = (seen.days_since_first_order - seen.days_since_last_order) / waits
    return seen.mutate(days_between_orders=usual, overdue=seen.days_since_last_order / (usual + 1))


@defines(
    "order_days_fading_over_30_days",
    "order_days_fading_over_90_days",
    "order_days_fading_over_270_days",
    "wait_as_share_of_time_known",
    reads=[ORDERED_AT],
)
def order_pace(rows: Table, _shop: ShopFacts) -> Table:
    """How often a customer orders lately: each day with an order counts, the less the older it is,
    with no edge of a window.
    """
    aged = rows.mutate(day=rows.ordered_at.date(), age=days_between(rows.ordered_at, rows.as_of))
    days = aged.group_by("customer", "as_of", "day").aggregate(
        age=aged.age.min(), oldest=aged.age.max()
    )
    return days.group_by("customer", "as_of").aggregate(
        order_days_fading_over_30_days=exact_sum(fading(days.age, 30), FADING_DIGITS),
        order_days_fading_over_90_days=exact_sum(fading(days.age, 90), FADING_DIGITS),
        order_days_fading_over_270_days=exact_sum(fading(days.age, 270), FADING_DIGITS),
        wait_as_share_of_time_known=days.age.min() / days.oldest.max().nullif(0),
    )


@defines("orders", "products", "items", "lines_per_order", reads=[ORDER_ID, PRODUCT_ID, QUANTITY])
def variety(rows: Table, _shop: ShopFacts) -> Table:
    """How much a customer has bought, and how varied."""
    seen = rows.group_by("customer", "as_of").aggregate(
        orders=rows.order_id.nunique(),
        products=rows.product_id.nunique(),
        items=rows.quantity.sum(),
        lines=rows.count(),
    )
    return seen.mutate(lines_per_order=seen.lines / seen.orders)


@defines("products_last_90_days", reads=[PRODUCT_ID, ORDERED_AT])
def recent_variety(rows: Table, _shop: ShopFacts) -> Table:
    """How many different products a customer bought lately."""
    recent = days_between(rows.ordered_at, rows.as_of) <= 90
    return rows.group_by("customer", "as_of").aggregate(
        products_last_90_days=rows.product_id.nunique(where=recent)
    )


@defines("total_spent", "highest_amount", reads=[AMOUNT])
def spending(rows: Table, _shop: ShopFacts) -> Table:
    """What a customer has spent."""
    return rows.group_by("customer", "as_of").aggregate(
        total_spent=exact_sum(rows.amount), highest_amount=rows.amount.max()
    )


@defines("spent_last_90_days", reads=[AMOUNT, ORDERED_AT])
def recent_spending(rows: Table, _shop: ShopFacts) -> Table:
    """What a customer has spent lately."""
    recent = (days_between(rows.ordered_at, rows.as_of) <= 90).ifelse(rows.amount, 0.0)
    return (
        rows.mutate(recent=recent)
        .group_by("customer", "as_of")
        .aggregate(spent_last_90_days=exact_sum(ibis._.recent))
    )


@defines("spent_fading_over_90_days", "spent_fading_over_270_days", reads=[AMOUNT, ORDERED_AT])
def spending_pace(rows: Table, _shop: ShopFacts) -> Table:
    """What a customer spends lately: each amount counts, the less the older it is."""
    age = days_between(rows.ordered_at, rows.as_of)
    return rows.group_by("customer", "as_of").aggregate(
        spent_fading_over_90_days=exact_sum(rows.amount * fading(age, 90)),
        spent_fading_over_270_days=exact_sum(rows.amount * fading(age, 270)),
    )


@defines("average_order_value", reads=[AMOUNT, ORDER_ID])
def order_value(rows: Table, _shop: ShopFacts) -> Table:
    """What a customer spends on one order."""
    return rows.group_by("customer", "as_of").aggregate(
        average_order_value=exact_sum(rows.amount) / rows.order_id.nunique()
    )


@defines("usual_price", reads=[UNIT_PRICE])
def price_level(rows: Table, _shop: ShopFacts) -> Table:
    """The price of what a customer usually buys."""
    return rows.group_by("customer", "as_of").aggregate(
        usual_price=exact_sum(rows.unit_price) / rows.count()
    )


@defines("home_country", reads=[COUNTRY])
def home(rows: Table, shop: ShopFacts) -> Table:
    """1 where the customer lives in the shop's own country, else 0; nothing where the shop does not
    say which that is.
    """
    lives = (
        ibis.null("float64")
        if shop.home_country is None
        else (rows.country == shop.home_country).cast("float64")
    )
    return rows.mutate(home_country=lives)


CUSTOMER_DEFINITIONS: tuple[Definition, ...] = (
    order_rhythm,
    order_pace,
    variety,
    recent_variety,
    spending,
    recent_spending,
    spending_pace,
    order_value,
    price_level,
    home,
)
