"""Features of a customer's history with one product."""

from __future__ import annotations

import ibis
from ibis import Table

from features.definitions.definition import ShopFacts, defines
from features.definitions.expressions import days_between, exact_sum
from features.definitions.feature import FREE, Feature
from features.definitions.sentence import Bounds, Sentence, Value
from features.warehouse.fields import ORDER_ID, ORDERED_AT, PRODUCT_ID

KEYS = ("customer", "as_of", "product_id")
DECAY = 0.9
"""Weight of an order against the one after it, as in TIFU-KNN (Hu et al., SIGIR 2020)."""
SHARE_DIGITS = 12

BOUGHT = (
    Sentence(
        "bought.last",
        "You bought this once, {ago}.",
        "You bought this {count} times, last {ago}.",
        {"count": Value("whole", "times_bought"), "ago": Value("whole", "days_since_last_bought")},
        {"times_bought": Bounds(above=0.5)},
    ),
    Sentence(
        "bought",
        "You bought this once.",
        "You bought this {count} times.",
        {"count": Value("whole", "times_bought")},
        {"times_bought": Bounds(above=0.5)},
    ),
)
"""Whatever is known of a history with a product says the first of these that is true."""


TIMES_BOUGHT = Feature(
    "times_bought",
    direction=FREE,
    unit="orders",
    meaning="Orders that the product was in.",
    says={"next_purchase": BOUGHT},
)


@defines(TIMES_BOUGHT, reads=[PRODUCT_ID, ORDER_ID], keys=KEYS)
def frequency(rows: Table, _shop: ShopFacts) -> Table:
    """In how many orders the product was."""
    return rows.group_by(*KEYS).aggregate(times_bought=rows.order_id.nunique())


DAYS_SINCE_LAST_BOUGHT = Feature(
    "days_since_last_bought",
    direction=FREE,
    unit="days",
    meaning="Days since the product was last bought.",
    says={"next_purchase": BOUGHT},
)


@defines(
    DAYS_SINCE_LAST_BOUGHT,
    Feature(
        "days_since_first_bought",
        direction=FREE,
        unit="days",
        meaning="Days since the product was first bought.",
        says={"next_purchase": BOUGHT},
    ),
    reads=[PRODUCT_ID, ORDERED_AT],
    keys=KEYS,
)
def recency(rows: Table, _shop: ShopFacts) -> Table:
    """How long ago the product was bought."""
    age = days_between(rows.ordered_at, rows.as_of)
    return (
        rows.mutate(age=age)
        .group_by(*KEYS)
        .aggregate(
            days_since_last_bought=ibis._.age.min(), days_since_first_bought=ibis._.age.max()
        )
    )


ORDERS_SINCE_LAST_BOUGHT = Feature(
    "orders_since_last_bought",
    direction=FREE,
    unit="orders",
    meaning="How many orders ago the product was last bought; 0 for the last order.",
    says={"next_purchase": BOUGHT},
)
RECENT_FREQUENCY = Feature(
    "recent_frequency",
    direction=FREE,
    unit="orders",
    meaning="Orders that the product was in, each weighing 0.9 of the next one.",
    says={"next_purchase": BOUGHT},
)


@defines(
    ORDERS_SINCE_LAST_BOUGHT, RECENT_FREQUENCY, reads=[PRODUCT_ID, ORDER_ID, ORDERED_AT], keys=KEYS
)
def order_recency(rows: Table, _shop: ShopFacts) -> Table:
    """How many orders ago the product was bought, and how often with older orders counting less."""
    placed = rows.group_by("customer", "as_of", "order_id").mutate(placed_at=rows.ordered_at.min())
    newest_first = ibis.window(
        group_by=["customer", "as_of"], order_by=[ibis.desc("placed_at"), ibis.desc("order_id")]
    )
    ranked = placed.mutate(orders_ago=ibis.dense_rank().over(newest_first))
    once = ranked.select(*KEYS, "orders_ago").distinct()
    return once.group_by(*KEYS).aggregate(
        orders_since_last_bought=once.orders_ago.min(),
        recent_frequency=exact_sum(ibis.literal(DECAY) ** once.orders_ago, SHARE_DIGITS),
    )
