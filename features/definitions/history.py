"""Features of a customer's history with one product."""

from __future__ import annotations

import ibis
from ibis import Table

from features.definitions.customer import days_between, exact_sum
from features.definitions.definition import Definition, ShopFacts, defines
from features.warehouse.fields import ORDER_ID, ORDERED_AT, PRODUCT_ID

KEYS = ("customer", "as_of", "product_id")
DECAY = 0.9
"""Weight of an order against the one after it, as in TIFU-KNN (Hu et al., SIGIR 2020)."""
SHARE_DIGITS = 12


@defines("times_bought", reads=[PRODUCT_ID, ORDER_ID], keys=KEYS)
def frequency(rows: Table, _shop: ShopFacts) -> Table:
    """In how many orders the product was."""
    return rows.group_by(*KEYS).aggregate(times_bought=rows.order_id.nunique())


@defines(
    "days_since_last_bought", "days_since_first_bought", reads=[PRODUCT_ID, ORDERED_AT], keys=KEYS
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


@defines(
    "orders_since_last_bought",
    "recent_frequency",
    reads=[PRODUCT_ID, ORDER_ID, ORDERED_AT],
    keys=KEYS,
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


HISTORY_DEFINITIONS: tuple[Definition, ...] = (frequency, recency, order_recency)
