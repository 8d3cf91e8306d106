"""Features of how regularly a customer buys one product again."""

from __future__ import annotations

from ibis import Table

from features.definitions.definition import ShopFacts, defines
from features.definitions.expressions import days_between
from features.definitions.feature import FREE, Feature
from features.definitions.history import KEYS
from features.definitions.sentence import Bounds, Sentence, Value
from features.warehouse.fields import ORDERED_AT, PRODUCT_ID

DUE = (
    Sentence(
        "cadence",
        "You usually buy this every {wait}; last {ago}.",
        places={
            "wait": Value("whole", "days_between_purchases"),
            "ago": Value("whole", "days_since_last_bought"),
        },
        where={"days_between_purchases": Bounds(least=1)},
    ),
)


@defines(
    Feature(
        "days_between_purchases",
        direction=FREE,
        unit="days",
        meaning="Days between two days on which the product was bought, on average; no value for"
        " one that was bought on one day alone.",
        says={"next_purchase": DUE},
        listed=False,
    ),
    Feature(
        "purchase_due",
        direction=FREE,
        unit="ratio",
        meaning="Days since the product was last bought over the usual days between purchases of it"
        " and one more.",
        says={"next_purchase": DUE},
        listed=False,
    ),
    reads=[PRODUCT_ID, ORDERED_AT],
    keys=KEYS,
)
def cadence(rows: Table, _shop: ShopFacts) -> Table:
    """The customer's own wait for a product: nobody else's purchases are in it."""
    t = rows.mutate(day=rows.ordered_at.date(), age=days_between(rows.ordered_at, rows.as_of))
    seen = t.group_by(*KEYS).aggregate(last=t.age.min(), first=t.age.max(), days=t.day.nunique())
    usual = (seen.first - seen.last) / (seen.days - 1).nullif(0)
    return seen.mutate(days_between_purchases=usual, purchase_due=seen.last / (usual + 1))
