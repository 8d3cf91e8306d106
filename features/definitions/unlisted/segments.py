"""Which segment a customer is in: recency, frequency and value from 1 to 5, and their stage of life
as a customer. Coarser than the features that models use, and good for naming groups.
"""

from __future__ import annotations

from collections.abc import Sequence

import ibis
from ibis import Table
from ibis.expr.types import IntegerValue, NumericValue

from features.definitions.definition import ShopFacts, defines
from features.definitions.expressions import days_between, exact_sum
from features.definitions.feature import FALLS, FREE, Feature
from features.definitions.sentence import Bounds, Sentence, Value, where
from features.warehouse.fields import AMOUNT, ORDERED_AT

RECENCY_DAYS = (30, 90, 180, 365)
"""Who ordered within the first of these days has 5, within the second 4, and so on."""
ORDER_DAYS = (2, 3, 5, 10)
"""Who ordered on so many days has 2, 3, 4 or 5."""
SPENT = (30, 100, 300, 1_000)
"""Who spent so much of the shop's currency within a year has 2, 3, 4 or 5."""
NEW, ACTIVE, SLOWING, LAPSED, RETURNING = range(1, 6)
STAGES = {
    NEW: "new",
    ACTIVE: "active",
    SLOWING: "slowing",
    LAPSED: "lapsed",
    RETURNING: "returning",
}
"""The stages of life as a customer, by the value of the feature `lifecycle_stage`."""
FIRST_DAYS = 60
"""Who ordered on one day alone is new for so long, and lapsed after `LONGEST` times that."""
SLOWER, LONGEST = 1.5, 3.0
"""From so many times the usual wait on a customer is slowing, and lapsed."""


def _score(value: NumericValue, bounds: Sequence[float]) -> IntegerValue:
    """1 below the first of the ascending `bounds`, and one more from each of them on."""
    score: IntegerValue = ibis.literal(1)
    for bound in bounds:
        score = score + (value >= bound).cast("int64")
    return score


def _score_said(key: str, text: str) -> Sentence:
    return Sentence(key, text, places={"count": Value("whole")})


def _stage(value: int) -> Bounds:
    """Up to a stage; of the sentences in their order the first that is true is said."""
    return Bounds(most=value)


LIFECYCLE_STAGE = Feature(
    "lifecycle_stage",
    direction=FREE,
    unit="stage",
    meaning="1 new, 2 active, 3 slowing, 4 lapsed, 5 returning after a long pause.",
    says={
        "churn": (
            where("stage.new", "Counted as a new customer.", _stage(NEW)),
            where("stage.active", "Orders as often as usual.", _stage(ACTIVE)),
            where("stage.slowing", "Orders less often than usual.", _stage(SLOWING)),
            where("stage.lapsed", "No order for much longer than usual.", _stage(LAPSED)),
            where("stage.returning", "Back after a long pause.", Bounds(above=LAPSED)),
        )
    },
    listed=False,
)


@defines(
    Feature(
        "recency_score",
        direction=FALLS,
        unit="score from 1 to 5",
        meaning="5 for an order within 30 days, 4 within 90, 3 within 180, 2 within 365.",
        says={"churn": (_score_said("score.recency", "Mark for the last order: {count} of 5."),)},
        listed=False,
    ),
    Feature(
        "frequency_score",
        direction=FALLS,
        unit="score from 1 to 5",
        meaning="5 for 10 days with an order and more, 4 for 5, 3 for 3, 2 for 2.",
        says={
            "churn": (
                _score_said("score.frequency", "Mark for the number of orders: {count} of 5."),
            )
        },
        listed=False,
    ),
    LIFECYCLE_STAGE,
    reads=[ORDERED_AT],
)
def stages(rows: Table, _shop: ShopFacts) -> Table:
    """How a customer's last wait, and the one before their last order, compare with their usual
    one.
    """
    t = rows.mutate(day=rows.ordered_at.date(), age=days_between(rows.ordered_at, rows.as_of))
    days = t.group_by("customer", "as_of", "day").aggregate(age=t.age.min())
    newest = ibis.window(group_by=["customer", "as_of"], order_by="age")
    waits = days.mutate(place=ibis.row_number().over(newest), before=days.age.lead().over(newest))
    seen = waits.group_by("customer", "as_of").aggregate(
        last=waits.age.min(),
        first=waits.age.max(),
        count=waits.count(),
        pause=(waits.before - waits.age).max(where=waits.place == 0),
    )
    earlier = ((seen.first - seen.last - seen.pause) / (seen["count"] - 2).nullif(0)).nullif(0)
    usual = ((seen.first - seen.last) / (seen["count"] - 1).nullif(0)).fill_null(FIRST_DAYS)
    came_back = (seen.pause > LONGEST * earlier).fill_null(False)
    stage = ibis.cases(
        (seen.last > LONGEST * usual, LAPSED),
        ((seen["count"] == 1) & (seen.last <= FIRST_DAYS), NEW),
        (seen.last > SLOWER * usual, SLOWING),
        (came_back, RETURNING),
        (seen["count"] == 1, SLOWING),
        else_=ACTIVE,
    )
    return seen.mutate(
        recency_score=6 - _score(seen.last, [bound + 1e-9 for bound in RECENCY_DAYS]),
        frequency_score=_score(seen["count"], ORDER_DAYS),
        lifecycle_stage=stage,
    )


@defines(
    Feature(
        "value_score",
        direction=FALLS,
        unit="score from 1 to 5",
        meaning="How much was spent within a year: 5 for 1,000 of the currency, 4 for 300, 3 for"
        " 100, 2 for 30.",
        says={"churn": (_score_said("score.value", "Mark for the money spent: {count} of 5."),)},
        listed=False,
    ),
    reads=[AMOUNT, ORDERED_AT],
)
def value(rows: Table, _shop: ShopFacts) -> Table:
    """How much a customer spent within a year."""
    recent = days_between(rows.ordered_at, rows.as_of) <= RECENCY_DAYS[-1]
    t = rows.mutate(recent=recent.ifelse(rows.amount, 0.0))
    seen = t.group_by("customer", "as_of").aggregate(spent=exact_sum(t.recent))
    return seen.mutate(value_score=_score(seen.spent, SPENT))
