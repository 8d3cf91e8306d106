"""Features of a customer's looks at one product, bought or not."""

from __future__ import annotations

from ibis import Table

from features.definitions.beside_orders.windows import MONTH, age_of, many
from features.definitions.definition import ShopFacts, defines
from features.definitions.feature import FREE, Feature
from features.definitions.history import KEYS
from features.definitions.sentence import Sentence, Value
from features.tables.declared.interactions import CART, CART_REMOVED, VIEW
from features.warehouse.fields import BROWSED, BROWSED_AT, BROWSED_PRODUCT_ID

LOOKED = (
    Sentence(
        "looked",
        "You looked at this {ago}.",
        places={"ago": Value("whole", "days_since_last_viewed")},
    ),
)
DAYS_SINCE_IN_BASKET = Feature(
    "days_since_in_basket",
    direction=FREE,
    unit="days",
    meaning="Days since the product was last put into the basket and not taken out again.",
    says={
        "next_purchase": (
            Sentence(
                "basket.this",
                "You put this into your basket {ago}.",
                places={"ago": Value("whole")},
            ),
        )
    },
)


@defines(
    Feature(
        "days_since_last_viewed",
        direction=FREE,
        unit="days",
        meaning="Days since the product was last looked at.",
        says={"next_purchase": LOOKED},
    ),
    Feature(
        "views_last_30_days",
        direction=FREE,
        unit="views",
        meaning="How often the product was looked at in the last 30 days.",
        says={"next_purchase": LOOKED},
    ),
    DAYS_SINCE_IN_BASKET,
    reads=[BROWSED_PRODUCT_ID, BROWSED, BROWSED_AT],
    keys=KEYS,
)
def looks(rows: Table, _shop: ShopFacts) -> Table:
    """When a customer looked at a product, and whether they left it in the basket."""
    of_products = rows.filter(rows.browsed_product_id.notnull())
    t = of_products.mutate(
        product_id=of_products.browsed_product_id, age=age_of(of_products.browsed_at, of_products)
    )
    seen = t.group_by(*KEYS).aggregate(
        days_since_last_viewed=t.age.min(where=t.browsed == VIEW),
        views_last_30_days=many((t.browsed == VIEW) & (t.age <= MONTH)),
        put_in=t.age.min(where=t.browsed == CART),
        taken_out=t.age.min(where=t.browsed == CART_REMOVED),
    )
    is_out = (seen.taken_out <= seen.put_in).fill_null(False)
    return seen.mutate(days_since_in_basket=is_out.ifelse(None, seen.put_in))
