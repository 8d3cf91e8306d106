"""Features of what a customer sent back and booked, and of how long the shop knows them."""

from __future__ import annotations

from ibis import Table

from features.definitions.beside_orders.windows import QUARTER, age_of, many
from features.definitions.definition import ShopFacts, defines
from features.definitions.feature import FALLS, FREE, RISES, Feature
from features.definitions.sentence import Sentence, Value
from features.warehouse.fields import BOOKED_AT, FIRST_SEEN, RETURNED_AT


def _count(key: str, text: str) -> tuple[Sentence, ...]:
    return (Sentence(key, text, places={"count": Value("whole")}),)


@defines(
    Feature(
        "products_returned",
        direction=FREE,
        unit="products",
        meaning="Products sent back, ever.",
        says={"churn": _count("returns", "Products sent back so far: {count}.")},
    ),
    Feature(
        "products_returned_last_90_days",
        direction=FREE,
        unit="products",
        meaning="Products sent back in the last 90 days.",
        says={"churn": _count("returns.90", "Products sent back in the last 90 days: {count}.")},
    ),
    reads=[RETURNED_AT],
)
def returns(rows: Table, _shop: ShopFacts) -> Table:
    """How much a customer sent back."""
    recent = age_of(rows.returned_at, rows) <= QUARTER
    return rows.group_by("customer", "as_of").aggregate(
        products_returned=rows.count(), products_returned_last_90_days=many(recent)
    )


DAYS_SINCE_LAST_BOOKING = Feature(
    "days_since_last_booking",
    direction=RISES,
    unit="days",
    meaning="Days since the last booking.",
    says={"churn": (Sentence("bookings.last", "Last booking {ago}.", places={"ago": Value()}),)},
)


@defines(
    Feature(
        "bookings_last_90_days",
        direction=FALLS,
        unit="bookings",
        meaning="Bookings in the last 90 days.",
        says={"churn": _count("bookings.90", "Bookings in the last 90 days: {count}.")},
    ),
    DAYS_SINCE_LAST_BOOKING,
    reads=[BOOKED_AT],
)
def bookings(rows: Table, _shop: ShopFacts) -> Table:
    """When a customer booked."""
    t = rows.mutate(age=age_of(rows.booked_at, rows))
    return t.group_by("customer", "as_of").aggregate(
        bookings_last_90_days=many(t.age <= QUARTER), days_since_last_booking=t.age.min()
    )


@defines(
    Feature(
        "days_since_first_seen",
        direction=FREE,
        unit="days",
        meaning="Days since the customer came to the shop first, ordering or not.",
        says={
            "churn": (Sentence("first_seen", "First came to us {ago}.", places={"ago": Value()}),)
        },
    ),
    reads=[FIRST_SEEN],
)
def first_seen(rows: Table, _shop: ShopFacts) -> Table:
    """How long the shop knows a customer, as it says itself."""
    return rows.mutate(days_since_first_seen=age_of(rows.first_seen, rows))
