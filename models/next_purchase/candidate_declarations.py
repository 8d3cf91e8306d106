"""What compares a candidate with what is known of the customer: features of the ranker, each
declared once.

Features of customers and of their histories are declared in `features.definitions`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from features.definitions.beside_orders.looked_at import DAYS_SINCE_IN_BASKET
from features.definitions.customer import HOME_COUNTRY, ORDERS, USUAL_PRICE
from features.definitions.feature import Feature
from features.definitions.history import (
    BOUGHT,
    DAYS_SINCE_LAST_BOUGHT,
    ORDERS_SINCE_LAST_BOUGHT,
    RECENT_FREQUENCY,
    TIMES_BOUGHT,
)
from features.definitions.sentence import Bounds, Sentence, Silent, Value, where
from features.warehouse.fields import (
    BROWSED,
    BROWSED_AT,
    BROWSED_PRODUCT_ID,
    COUNTRY,
    ORDER_ID,
    ORDERED_AT,
    PRODUCT_ID,
    QUANTITY,
    UNIT_PRICE,
)
from models.next_purchase.product_declarations import WORTH_SAYING, ranking_feature

EVERYTHING, RECENT, LAST = 1.0, 0.5, 0.0
"""What a product weighs in a sum over a history, by the power of how many orders ago it was last
bought.
"""
POSITIVE = Bounds(above=0)
NEAR = 0.25
"""Prices within about a quarter of one another are near."""
UNSEEN = Silent("a place in a list that nobody sees")


@dataclass(frozen=True)
class Affinity:
    """The sum of a matrix of products by products over a history, with the decay from order to
    order.
    """

    matrix: Literal["similar", "fitting", "following", "ordered_next"]
    decay: float


@dataclass(frozen=True)
class Place:
    """How many products go still better with a history, by the affinity of that name."""

    affinity: Feature


@dataclass(frozen=True, eq=False)
class Compared:
    """A feature that compares a candidate with a customer's data.

    `reads` are the fields of that data, `made_from` the features of customers and histories that it
    takes: a shop that lacks one lacks the feature. `how` it is made: an affinity, a place, or a
    method of `models.next_purchase.candidate_features.Comparison`.
    """

    feature: Feature
    reads: tuple[str, ...]
    how: Affinity | Place | str
    made_from: tuple[Feature, ...] = ()

    def __post_init__(self) -> None:
        """Raise `FeatureError` where no field gives the feature a category."""
        if not self.reads:
            raise self.feature.refused(
                "has no category, which is that of the first field it reads; state the fields"
            )

    @property
    def of_basket(self) -> bool:
        """Whether the feature is about a basket at hand rather than about what was bought."""
        return self.feature is FITS_THE_BASKET


BOUGHT_WITH_YOURS = ranking_feature(
    "bought_with_your_products",
    "weight",
    "Similarity to the products bought.",
    (
        where(
            "bought_with_your_products",
            "Often bought together with products that you bought.",
            POSITIVE,
        ),
    ),
)
BOUGHT_WITH_LAST = ranking_feature(
    "bought_with_your_last_order",
    "weight",
    "Similarity to the products of the last order.",
    (
        where(
            "bought_with_your_last_order",
            "Often bought together with products of your last order.",
            POSITIVE,
        ),
    ),
)
FITS_YOURS = ranking_feature(
    "fits_your_products",
    "weight",
    "How much the products bought speak for it.",
    (
        where(
            "fits_your_products",
            "Customers who bought what you bought often choose this.",
            POSITIVE,
        ),
    ),
)
FITS_LAST = ranking_feature(
    "fits_your_last_order",
    "weight",
    "How much the products of the last order speak for it.",
    (
        where(
            "fits_your_last_order",
            "Customers who bought what you ordered last often choose this.",
            POSITIVE,
        ),
    ),
)
FOLLOWS_YOURS = ranking_feature(
    "follows_your_products",
    "weight",
    "How often it follows the products bought.",
    (
        where(
            "follows_your_products",
            "Often in the next order of customers who bought what you bought.",
            POSITIVE,
        ),
    ),
)
FOLLOWS_LAST = ranking_feature(
    "follows_your_last_order",
    "weight",
    "How often it follows the products of the last order.",
    (
        where(
            "follows_your_last_order",
            "Often in the order that follows one like your last.",
            POSITIVE,
        ),
    ),
)
ORDERED_NEXT_AFTER_YOURS = ranking_feature(
    "ordered_next_after_your_products",
    "weight",
    "How often it is in the very next order after the products bought.",
    (
        where(
            "ordered_next_after_your_products",
            "Customers often order this next after products that you bought.",
            POSITIVE,
        ),
    ),
)
ORDERED_NEXT_AFTER_LAST = ranking_feature(
    "ordered_next_after_your_last_order",
    "weight",
    "How often it is in the very next order after the last.",
    (
        where(
            "ordered_next_after_your_last_order",
            "Customers often order this next after an order like your last.",
            POSITIVE,
        ),
    ),
)
ORDERED_NEXT_AFTER_RECENT = ranking_feature(
    "ordered_next_after_your_recent_orders",
    "weight",
    "How often it is in the very next order after recent ones.",
    (
        where(
            "ordered_next_after_your_recent_orders",
            "Customers often order this next after orders like yours lately.",
            POSITIVE,
        ),
    ),
)
FITS_THE_BASKET = ranking_feature(
    "fits_the_basket",
    "weight",
    "How much the products in the basket speak for it.",
    (
        where(
            "fits_the_basket",
            "Customers who bought what is in the basket often choose this.",
            POSITIVE,
        ),
    ),
)

COMPARED = (
    Compared(BOUGHT_WITH_YOURS, (PRODUCT_ID,), Affinity("similar", EVERYTHING)),
    Compared(
        BOUGHT_WITH_LAST,
        (PRODUCT_ID, ORDERED_AT),
        Affinity("similar", LAST),
        (ORDERS_SINCE_LAST_BOUGHT,),
    ),
    Compared(FITS_YOURS, (PRODUCT_ID,), Affinity("fitting", EVERYTHING)),
    Compared(
        FITS_LAST, (PRODUCT_ID, ORDERED_AT), Affinity("fitting", LAST), (ORDERS_SINCE_LAST_BOUGHT,)
    ),
    Compared(FOLLOWS_YOURS, (PRODUCT_ID,), Affinity("following", EVERYTHING)),
    Compared(
        FOLLOWS_LAST,
        (PRODUCT_ID, ORDERED_AT),
        Affinity("following", LAST),
        (ORDERS_SINCE_LAST_BOUGHT,),
    ),
    Compared(ORDERED_NEXT_AFTER_YOURS, (PRODUCT_ID,), Affinity("ordered_next", EVERYTHING)),
    Compared(
        ORDERED_NEXT_AFTER_LAST,
        (PRODUCT_ID, ORDERED_AT),
        Affinity("ordered_next", LAST),
        (ORDERS_SINCE_LAST_BOUGHT,),
    ),
    Compared(
        ORDERED_NEXT_AFTER_RECENT,
        (PRODUCT_ID, ORDERED_AT),
        Affinity("ordered_next", RECENT),
        (ORDERS_SINCE_LAST_BOUGHT,),
    ),
    Compared(
        ranking_feature(
            "place_by_what_goes_with_yours",
            "place",
            "Place in the list of products similar to the products bought, from 0.",
            UNSEEN,
        ),
        (PRODUCT_ID,),
        Place(BOUGHT_WITH_YOURS),
    ),
    Compared(
        ranking_feature(
            "place_by_what_fits_yours",
            "place",
            "Place in the list of products that the products bought speak for, from 0.",
            UNSEEN,
        ),
        (PRODUCT_ID,),
        Place(FITS_YOURS),
    ),
    Compared(
        ranking_feature(
            "place_by_what_follows_yours",
            "place",
            "Place in the list of products that follow the products bought, from 0.",
            UNSEEN,
        ),
        (PRODUCT_ID,),
        Place(FOLLOWS_YOURS),
    ),
    Compared(FITS_THE_BASKET, (PRODUCT_ID,), "sum_of_the_basket"),
    Compared(
        ranking_feature(
            "place_among_yours",
            "place",
            "Place among the products bought, most often and lately first; then all others.",
            BOUGHT,
        ),
        (PRODUCT_ID, ORDER_ID, ORDERED_AT),
        "place_among_bought",
        (RECENT_FREQUENCY,),
    ),
    Compared(
        ranking_feature(
            "share_of_your_orders",
            "share",
            "Share of the customer's orders that the product was in.",
            (
                Sentence(
                    "share_of_your_orders",
                    "In {share} of every 100 of your orders.",
                    places={"share": Value("hundredths")},
                    where={"": Bounds(least=WORTH_SAYING, most=1)},
                ),
            ),
        ),
        (PRODUCT_ID, ORDER_ID, QUANTITY),
        "share_of_orders",
        (TIMES_BOUGHT, ORDERS),
    ),
    Compared(
        ranking_feature(
            "popular_where_you_live",
            "share",
            "Share of the customers of the same country, or of all others, who bought it.",
            (
                Sentence(
                    "location.here",
                    "Often bought where you live ({country}).",
                    places={"country": "home_country"},
                    where={"": Bounds(), HOME_COUNTRY.name: Bounds(above=0)},
                ),
                Sentence(
                    "location.elsewhere",
                    "Often bought where you live (outside {country}).",
                    places={"country": "home_country"},
                    where={"": Bounds(), HOME_COUNTRY.name: Bounds(most=0, unknown=True)},
                ),
            ),
        ),
        (COUNTRY,),
        "popularity_at_home",
        (HOME_COUNTRY,),
    ),
    Compared(
        ranking_feature(
            "price_against_usual",
            "logarithm of a ratio",
            "Its price over the price usually paid.",
            (
                where(
                    "price.near",
                    "Its price is near what you usually pay.",
                    Bounds(above=-NEAR, below=NEAR),
                ),
                where("price.less", "It costs less than what you usually pay.", Bounds(most=-NEAR)),
            ),
        ),
        (UNIT_PRICE,),
        "log_price_ratio",
        (USUAL_PRICE,),
    ),
    Compared(
        ranking_feature(
            "left_in_the_basket",
            "yes (1) or no (0)",
            "Whether the product was put into the basket and not bought since.",
            (
                Sentence(
                    "basket.left",
                    "You put this into your basket {ago} and did not order it.",
                    places={"ago": Value("whole", DAYS_SINCE_IN_BASKET.name)},
                    where={"": Bounds(above=0)},
                ),
            ),
        ),
        (BROWSED_PRODUCT_ID, BROWSED, BROWSED_AT, PRODUCT_ID, ORDER_ID, ORDERED_AT, QUANTITY),
        "left_in_the_basket",
        (DAYS_SINCE_IN_BASKET, TIMES_BOUGHT, DAYS_SINCE_LAST_BOUGHT, ORDERS),
    ),
)
"""In the order of the ranker's columns."""
