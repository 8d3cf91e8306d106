"""Features of what a customer looks at on the shop's pages and puts into the basket."""

from __future__ import annotations

from ibis import Table

from features.definitions.beside_orders.windows import MONTH, age_of
from features.definitions.definition import ShopFacts, defines
from features.definitions.feature import FALLS, FREE, RISES, Feature
from features.definitions.sentence import RANKS, Sentence, Value
from features.tables.declared.interactions import CART
from features.warehouse.fields import BROWSED, BROWSED_AT, BROWSED_PRODUCT_ID

DAYS_SINCE_LAST_VISIT = Feature(
    "days_since_last_visit",
    direction=RISES,
    unit="days",
    meaning="Days since anything was done on the shop's pages.",
    says={
        "churn": (
            Sentence("visit.last", "Last visit to our pages {ago}.", places={"ago": Value()}),
        ),
        "next_purchase": RANKS,
    },
)


@defines(
    DAYS_SINCE_LAST_VISIT,
    Feature(
        "visit_days_last_30_days",
        direction=FALLS,
        unit="days",
        meaning="Days with a visit to the shop's pages in the last 30 days.",
        says={
            "churn": (
                Sentence(
                    "visit.days.30",
                    "Visits on {count} of the last 30 days.",
                    places={"count": Value("whole")},
                ),
            ),
            "next_purchase": RANKS,
        },
    ),
    reads=[BROWSED_AT],
)
def visits(rows: Table, _shop: ShopFacts) -> Table:
    """When a customer was on the shop's pages."""
    t = rows.mutate(day=rows.browsed_at.date(), age=age_of(rows.browsed_at, rows))
    return t.group_by("customer", "as_of").aggregate(
        days_since_last_visit=t.age.min(),
        visit_days_last_30_days=t.day.nunique(where=t.age <= MONTH),
    )


@defines(
    Feature(
        "products_viewed_last_30_days",
        direction=FREE,
        unit="products",
        meaning="Different products looked at in the last 30 days.",
        says={
            "churn": (
                Sentence(
                    "viewed.products.30",
                    "Different products viewed in the last 30 days: {count}.",
                    places={"count": Value("whole")},
                ),
            ),
            "next_purchase": RANKS,
        },
    ),
    reads=[BROWSED_PRODUCT_ID, BROWSED_AT],
)
def products_viewed(rows: Table, _shop: ShopFacts) -> Table:
    """How many products a customer looked at lately."""
    recent = age_of(rows.browsed_at, rows) <= MONTH
    return rows.group_by("customer", "as_of").aggregate(
        products_viewed_last_30_days=rows.browsed_product_id.nunique(where=recent)
    )


@defines(
    Feature(
        "days_since_last_basket",
        direction=FREE,
        unit="days",
        meaning="Days since something was put into the basket, ordered later or not.",
        says={
            "churn": (
                Sentence(
                    "basket.last",
                    "Last put something into the basket {ago}.",
                    places={"ago": Value()},
                ),
            ),
            "next_purchase": RANKS,
        },
    ),
    Feature(
        "basket_days_last_30_days",
        direction=FREE,
        unit="days",
        meaning="Days on which something was put into the basket in the last 30 days.",
        says={
            "churn": (
                Sentence(
                    "basket.days.30",
                    "Something was put into the basket on {count} of the last 30 days.",
                    places={"count": Value("whole")},
                ),
            ),
            "next_purchase": RANKS,
        },
    ),
    reads=[BROWSED, BROWSED_AT],
)
def baskets(rows: Table, _shop: ShopFacts) -> Table:
    """When a customer put something into the basket; set beside the last order it tells of baskets
    that were left.
    """
    filled = rows.browsed == CART
    t = rows.mutate(day=rows.browsed_at.date(), age=age_of(rows.browsed_at, rows), filled=filled)
    return t.group_by("customer", "as_of").aggregate(
        days_since_last_basket=t.age.min(where=t.filled),
        basket_days_last_30_days=t.day.nunique(where=t.filled & (t.age <= MONTH)),
    )
