"""Features of what a customer buys, spends and pays, and of where the customer lives.

Those that a model reaches for by itself have a name in this module, so that a feature can be
renamed here alone.
"""

from __future__ import annotations

import ibis
from ibis import Table

from features.definitions.definition import ShopFacts, defines
from features.definitions.expressions import days_between, exact_sum, fading
from features.definitions.feature import FALLS, FREE, Feature
from features.definitions.sentence import RANKS, Bounds, Sentence, Value, counted, money
from features.warehouse.fields import (
    AMOUNT,
    COUNTRY,
    ORDER_ID,
    ORDERED_AT,
    PRODUCT_ID,
    QUANTITY,
    UNIT_PRICE,
)


def spent_fading(over: int) -> Sentence:
    """What is said of money spent that counts less the older it is."""
    return Sentence(
        f"spent.fading.{over}",
        "{amount} spent; older orders count less, over {wait}.",
        places={"amount": Value(), "wait": over},
    )


ORDERS = Feature(
    "orders",
    direction=FALLS,
    unit="orders",
    meaning="Orders, ever.",
    says={
        "churn": (counted("orders", "{count} order so far.", "{count} orders so far."),),
        "next_purchase": RANKS,
    },
)


@defines(
    ORDERS,
    Feature(
        "products",
        direction=FALLS,
        unit="products",
        meaning="Different products bought, ever.",
        says={
            "churn": (
                counted(
                    "products",
                    "{count} product bought so far.",
                    "{count} different products bought so far.",
                ),
            ),
            "next_purchase": RANKS,
        },
    ),
    Feature(
        "items",
        direction=FALLS,
        unit="items",
        meaning="Items bought, ever.",
        says={
            "churn": (
                counted("items", "{count} item bought so far.", "{count} items bought so far."),
            ),
            "next_purchase": RANKS,
        },
    ),
    Feature(
        "lines_per_order",
        direction=FREE,
        unit="lines",
        meaning="Lines of an order, on average.",
        says={
            "churn": (
                Sentence(
                    "lines_per_order",
                    "{count} product in an order on average.",
                    "{count} products in an order on average.",
                    {"count": Value()},
                ),
            ),
            "next_purchase": RANKS,
        },
    ),
    reads=[ORDER_ID, PRODUCT_ID, QUANTITY],
)
def variety(rows: Table, _shop: ShopFacts) -> Table:
    """How much a customer has bought, and how varied."""
    seen = rows.group_by("customer", "as_of").aggregate(
        orders=rows.order_id.nunique(),
        products=rows.product_id.nunique(),
        items=rows.quantity.sum(),
        lines=rows.count(),
    )
    return seen.mutate(lines_per_order=seen.lines / seen.orders)


@defines(
    Feature(
        "products_last_90_days",
        direction=FREE,
        unit="products",
        meaning="Different products bought in the last 90 days.",
        says={
            "churn": (
                counted(
                    "products.90",
                    "{count} product bought in the last 90 days.",
                    "{count} different products bought in the last 90 days.",
                    then=(
                        "{count} product bought in the 90 days up to {until}.",
                        "{count} different products bought in the 90 days up to {until}.",
                    ),
                ),
            )
        },
    ),
    reads=[PRODUCT_ID, ORDERED_AT],
)
def recent_variety(rows: Table, _shop: ShopFacts) -> Table:
    """How many different products a customer bought lately."""
    recent = days_between(rows.ordered_at, rows.as_of) <= 90
    return rows.group_by("customer", "as_of").aggregate(
        products_last_90_days=rows.product_id.nunique(where=recent)
    )


TOTAL_SPENT = Feature(
    "total_spent",
    direction=FALLS,
    unit="money",
    meaning="Money spent, ever.",
    says={"churn": (money("total_spent", "{amount} spent so far."),)},
)


@defines(
    TOTAL_SPENT,
    Feature(
        "highest_amount",
        direction=FREE,
        unit="money",
        meaning="The highest amount of one order line.",
        says={
            "churn": (
                money("highest_amount", "At most {amount} spent on one product of an order."),
            )
        },
    ),
    reads=[AMOUNT],
)
def spending(rows: Table, _shop: ShopFacts) -> Table:
    """What a customer has spent."""
    return rows.group_by("customer", "as_of").aggregate(
        total_spent=exact_sum(rows.amount), highest_amount=rows.amount.max()
    )


@defines(
    Feature(
        "spent_last_90_days",
        direction=FALLS,
        unit="money",
        meaning="Money spent in the last 90 days.",
        says={
            "churn": (
                money(
                    "spent.90",
                    "{amount} spent in the last 90 days.",
                    "{amount} spent in the 90 days up to {until}.",
                ),
            )
        },
    ),
    reads=[AMOUNT, ORDERED_AT],
)
def recent_spending(rows: Table, _shop: ShopFacts) -> Table:
    """What a customer has spent lately."""
    recent = (days_between(rows.ordered_at, rows.as_of) <= 90).ifelse(rows.amount, 0.0)
    return (
        rows.mutate(recent=recent)
        .group_by("customer", "as_of")
        .aggregate(spent_last_90_days=exact_sum(ibis._.recent))
    )


@defines(
    Feature(
        "spent_fading_over_90_days",
        direction=FALLS,
        unit="money",
        meaning="Money spent, each amount weighing 1/e after 90 days.",
        says={"churn": (spent_fading(90),)},
    ),
    Feature(
        "spent_fading_over_270_days",
        direction=FALLS,
        unit="money",
        meaning="Money spent, each amount weighing 1/e after 270 days.",
        says={"churn": (spent_fading(270),)},
    ),
    reads=[AMOUNT, ORDERED_AT],
)
def spending_pace(rows: Table, _shop: ShopFacts) -> Table:
    """What a customer spends lately: each amount counts, the less the older it is."""
    age = days_between(rows.ordered_at, rows.as_of)
    return rows.group_by("customer", "as_of").aggregate(
        spent_fading_over_90_days=exact_sum(rows.amount * fading(age, 90)),
        spent_fading_over_270_days=exact_sum(rows.amount * fading(age, 270)),
    )


@defines(
    Feature(
        "average_order_value",
        direction=FREE,
        unit="money",
        meaning="Money spent on an order, on average.",
        says={"churn": (money("order_value", "{amount} spent on an order on average."),)},
    ),
    reads=[AMOUNT, ORDER_ID],
)
def order_value(rows: Table, _shop: ShopFacts) -> Table:
    """What a customer spends on one order."""
    return rows.group_by("customer", "as_of").aggregate(
        average_order_value=exact_sum(rows.amount) / rows.order_id.nunique()
    )


USUAL_PRICE = Feature(
    "usual_price",
    direction=FREE,
    unit="money",
    meaning="Price of an item, on average over order lines.",
    says={
        "churn": (money("usual_price", "Usual price of the products bought: {amount}."),),
        "next_purchase": RANKS,
    },
)


@defines(
    USUAL_PRICE,
    reads=[UNIT_PRICE],
)
def price_level(rows: Table, _shop: ShopFacts) -> Table:
    """The price of what a customer usually buys."""
    return rows.group_by("customer", "as_of").aggregate(
        usual_price=exact_sum(rows.unit_price) / rows.count()
    )


HOME_COUNTRY = Feature(
    "home_country",
    direction=FREE,
    unit="yes (1) or no (0)",
    meaning="Whether the customer lives in the shop's own country.",
    says={
        "churn": (
            Sentence(
                "home.here",
                "Country of residence: {country}.",
                places={"country": "home_country"},
                where={"": Bounds(above=0)},
            ),
            Sentence(
                "home.elsewhere",
                "Country of residence: not {country}.",
                places={"country": "home_country"},
                where={"": Bounds(most=0)},
            ),
        ),
        "next_purchase": RANKS,
    },
)


@defines(
    HOME_COUNTRY,
    reads=[COUNTRY],
)
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
