"""Features of when a customer orders.

Those that a model reaches for by itself have a name in this module, so that a feature can be
renamed here alone.
"""

from __future__ import annotations

from ibis import Table

from features.definitions.definition import ShopFacts, defines
from features.definitions.expressions import FADING_DIGITS, days_between, exact_sum, fading
from features.definitions.feature import FALLS, FREE, RISES, Feature
from features.definitions.sentence import RANKS, Bounds, Sentence, Value, counted
from features.warehouse.fields import ORDERED_AT

LAST_ORDER = "days_since_last_order"
USUAL_WAIT = "days_between_orders"
RHYTHM = (
    Sentence(
        "rhythm.both",
        "Last order {ago}; usually {wait} between orders.",
        places={"ago": Value("whole", LAST_ORDER), "wait": Value("whole", USUAL_WAIT)},
        where={USUAL_WAIT: Bounds(least=1)},
    ),
    Sentence("rhythm.last", "Last order {ago}.", places={"ago": Value(feature=LAST_ORDER)}),
    Sentence(
        "rhythm.usual",
        "Usually {wait} between orders.",
        places={"wait": Value("number_at_least_one", USUAL_WAIT)},
    ),
    Sentence(
        "rhythm.overdue",
        "The wait since the last order is {times} times the usual one.",
        places={"times": Value(feature="overdue")},
        then="By {until} the wait since the last order was {times} times the usual one.",
    ),
    Sentence(
        "rhythm.close",
        "Orders follow one another within a day.",
        where={USUAL_WAIT: Bounds(below=1)},
    ),
)
"""Each of the features of the rhythm says the first of these that is true."""


def days_fading(over: int) -> Sentence:
    """What is said of days with an order that count less the older they are."""
    return Sentence(
        f"order_days.fading.{over}",
        "{count} day with an order; older days count less, over {wait}.",
        "{count} days with an order; older days count less, over {wait}.",
        {"count": Value("tenths"), "wait": over},
    )


DAYS_SINCE_LAST_ORDER = Feature(
    "days_since_last_order",
    direction=RISES,
    unit="days",
    meaning="Days since the last order.",
    says={"churn": RHYTHM, "next_purchase": RANKS},
)
DAYS_SINCE_FIRST_ORDER = Feature(
    "days_since_first_order",
    direction=FREE,
    unit="days",
    meaning="Days since the first order.",
    says={
        "churn": (Sentence("first_order", "First order {ago}.", places={"ago": Value()}),),
        "next_purchase": RANKS,
    },
)
ORDER_DAYS = Feature(
    "order_days",
    direction=FALLS,
    unit="days",
    meaning="Days with an order, ever.",
    says={
        "churn": (
            counted(
                "order_days",
                "Orders on {count} day so far.",
                "Orders on {count} different days so far.",
            ),
        ),
        "next_purchase": RANKS,
    },
)


@defines(
    DAYS_SINCE_LAST_ORDER,
    DAYS_SINCE_FIRST_ORDER,
    ORDER_DAYS,
    Feature(
        "order_days_last_30_days",
        direction=FALLS,
        unit="days",
        meaning="Days with an order in the last 30 days.",
        says={
            "churn": (
                counted(
                    "order_days.30",
                    "Orders on {count} day of the last 30.",
                    "Orders on {count} days of the last 30.",
                    then=(
                        "Orders on {count} day of the 30 up to {until}.",
                        "Orders on {count} days of the 30 up to {until}.",
                    ),
                ),
            ),
            "next_purchase": RANKS,
        },
    ),
    Feature(
        "order_days_last_90_days",
        direction=FALLS,
        unit="days",
        meaning="Days with an order in the last 90 days.",
        says={
            "churn": (
                counted(
                    "order_days.90",
                    "Orders on {count} day of the last 90.",
                    "Orders on {count} days of the last 90.",
                    then=(
                        "Orders on {count} day of the 90 up to {until}.",
                        "Orders on {count} days of the 90 up to {until}.",
                    ),
                ),
            ),
            "next_purchase": RANKS,
        },
    ),
    Feature(
        "days_between_orders",
        direction=FREE,
        unit="days",
        meaning="Days between two days with an order, on average.",
        says={"churn": RHYTHM, "next_purchase": RANKS},
    ),
    Feature(
        "overdue",
        direction=FREE,
        unit="ratio",
        meaning="Days since the last order over the usual days between orders and one more.",
        says={"churn": RHYTHM, "next_purchase": RANKS},
    ),
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
    Feature(
        "order_days_fading_over_30_days",
        direction=FALLS,
        unit="days",
        meaning="Days with an order, each weighing 1/e after 30 days.",
        says={"churn": (days_fading(30),)},
    ),
    Feature(
        "order_days_fading_over_90_days",
        direction=FALLS,
        unit="days",
        meaning="Days with an order, each weighing 1/e after 90 days.",
        says={"churn": (days_fading(90),)},
    ),
    Feature(
        "order_days_fading_over_270_days",
        direction=FALLS,
        unit="days",
        meaning="Days with an order, each weighing 1/e after 270 days.",
        says={"churn": (days_fading(270),)},
    ),
    Feature(
        "wait_as_share_of_time_known",
        direction=RISES,
        unit="share",
        meaning="Time since the last order over the time since the first.",
        says={
            "churn": (
                Sentence(
                    "wait_as_share",
                    "The time since the last order is {share} in 100 of the time since the first.",
                    places={"share": Value("hundredths")},
                ),
            )
        },
    ),
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
