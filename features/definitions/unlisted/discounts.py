"""Features of what a customer paid less than things cost."""

from __future__ import annotations

from ibis import Table

from features.definitions.definition import ShopFacts, defines
from features.definitions.expressions import exact_sum
from features.definitions.feature import FREE, Feature
from features.definitions.sentence import Sentence, Value
from features.warehouse.fields import AMOUNT, QUANTITY, UNIT_PRICE


@defines(
    Feature(
        "discount_share",
        direction=FREE,
        unit="share",
        meaning="What was taken off the prices of all that was bought, over these prices.",
        says={
            "churn": (
                Sentence(
                    "discount_share",
                    "Discounts took {share} in 100 off the prices.",
                    places={"share": Value("hundredths")},
                ),
            )
        },
        listed=False,
    ),
    reads=[AMOUNT, QUANTITY, UNIT_PRICE],
)
def discounts(rows: Table, _shop: ShopFacts) -> Table:
    """How much of the price discounts took off."""
    seen = rows.group_by("customer", "as_of").aggregate(
        paid=exact_sum(rows.amount), whole=exact_sum(rows.quantity * rows.unit_price)
    )
    share = 1 - seen.paid / seen.whole.nullif(0)
    within = (share < 0.0).ifelse(0.0, (share > 1.0).ifelse(1.0, share))
    return seen.mutate(discount_share=within)
