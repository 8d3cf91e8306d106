"""The sentences that reasons are said in: one entry for each, with the features it speaks of and
the values it is filled with.

A sentence states a fact that was used and claims no cause. To let another feature speak, add an
entry here and its translations to `explain/locales`; a feature that is to stay silent goes into
`SILENT`, with the reason why.

The name of a place in a sentence says how its value is written: `{count}` a number (which also
decides on singular or plural), `{times}` a ratio, `{share}` so many of 100, `{ago}` days as "12
days ago", `{wait}` days as "12 days", `{amount}` money, `{country}` a country.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Values = Mapping[str, float]
Recorded = dict[str, Any]

NEAR = 0.25
"""Prices within about a quarter of one another are near."""
WORTH_SAYING = 0.01
RAISES, LOWERS, FOR = "raises", "lowers", "for"
"""What a reason speaks for: a higher or a lower chance of leaving, or a product."""


@dataclass(frozen=True)
class ShopWords:
    """What sentences need to know of a shop."""

    currency: str = ""
    home_country: str = ""


Fill = Callable[[Values, ShopWords], Recorded | None]
"""The values of a sentence, taken from what is known; None where it would not be true, or something
is missing.
"""


@dataclass(frozen=True)
class Template:
    """A sentence.

    `features` are those that it speaks for; `many` is its English plural, decided by `{count}`.
    """

    key: str
    features: tuple[str, ...]
    fill: Fill
    text: str
    many: str = ""


def _known(**taken: str) -> Fill:
    """Values of the sentence, each the feature of that name; the feature has to be known."""

    def fill(values: Values, _shop: ShopWords) -> Recorded | None:
        if any(feature not in values for feature in taken.values()):
            return None
        return {name: round(values[feature], 2) for name, feature in taken.items()}

    return fill


def _at_least(least: float, **taken: str) -> Fill:
    """The same, where every one of them is at least so large."""
    known = _known(**taken)

    def fill(values: Values, shop: ShopWords) -> Recorded | None:
        said = known(values, shop)
        return said if said is not None and all(value >= least for value in said.values()) else None

    return fill


def _whole(feature: str, least: float = 0.0) -> Fill:
    """A count without fractions."""

    def fill(values: Values, _shop: ShopWords) -> Recorded | None:
        return {"count": round(values[feature])} if values.get(feature, -1.0) >= least else None

    return fill


def _share(feature: str) -> Fill:
    """A share as so many of 100; more than all there cannot be."""

    def fill(values: Values, _shop: ShopWords) -> Recorded | None:
        return (
            {"share": round(100 * values[feature])}
            if WORTH_SAYING <= values.get(feature, 0.0) <= 1
            else None
        )

    return fill


def _hundredths(feature: str) -> Fill:
    """A ratio as so many of 100, whatever it is."""
    return lambda values, _shop: (
        {"share": round(100 * values[feature])} if feature in values else None
    )


def _money(feature: str) -> Fill:
    def fill(values: Values, shop: ShopWords) -> Recorded | None:
        return (
            {"amount": round(values[feature], 2), "currency": shop.currency}
            if feature in values
            else None
        )

    return fill


def _fading(feature: str, over_days: int, place: str) -> Fill:
    """What counts less the older it is, and over how many days; money has its currency."""

    def fill(values: Values, shop: ShopWords) -> Recorded | None:
        if feature not in values:
            return None
        said = (
            {"count": round(values[feature], 1)}
            if place == "count"
            else {"amount": round(values[feature], 2), "currency": shop.currency}
        )
        return {**said, "wait": over_days}

    return fill


def _country(feature: str, *, here: bool) -> Fill:
    def fill(values: Values, shop: ShopWords) -> Recorded | None:
        said = feature in values and bool(values.get("home_country")) == here
        return {"country": shop.home_country} if said else None

    return fill


def _rhythm(values: Values, _shop: ShopWords) -> Recorded | None:
    last, usual = values.get("days_since_last_order"), values.get("days_between_orders", 0.0)
    return {"ago": round(last), "wait": round(usual)} if last is not None and usual >= 1 else None


def _bought(values: Values, *, last: bool) -> Recorded | None:
    times = round(values.get("times_bought", 0))
    ago = values.get("days_since_last_bought")
    if not times or (last and ago is None):
        return None
    return {"count": times, "ago": round(ago)} if last and ago is not None else {"count": times}


def _where(feature: str, holds: Callable[[float], bool]) -> Fill:
    """A sentence without values, where its feature's value makes it true."""
    return lambda values, _shop: {} if feature in values and holds(values[feature]) else None


def _positive(value: float) -> bool:
    return value > 0


RHYTHM = ("days_since_last_order", "days_between_orders", "overdue")
HISTORY = (
    "times_bought",
    "days_since_last_bought",
    "days_since_first_bought",
    "orders_since_last_bought",
    "recent_frequency",
    "place_among_yours",
)

CHURN_TEMPLATES: tuple[Template, ...] = (
    Template("rhythm.both", RHYTHM, _rhythm, "Last order {ago}; usually {wait} between orders."),
    Template("rhythm.last", RHYTHM, _known(ago="days_since_last_order"), "Last order {ago}."),
    Template(
        "rhythm.usual",
        RHYTHM,
        _at_least(1, wait="days_between_orders"),
        "Usually {wait} between orders.",
    ),
    Template(
        "rhythm.overdue",
        RHYTHM,
        _known(times="overdue"),
        "The wait since the last order is {times} times the usual one.",
    ),
    Template(
        "rhythm.close",
        RHYTHM,
        _where("days_between_orders", lambda days: days < 1),
        "Orders follow one another within a day.",
    ),
    Template(
        "first_order",
        ("days_since_first_order",),
        _known(ago="days_since_first_order"),
        "First order {ago}.",
    ),
    Template(
        "order_days",
        ("order_days",),
        _whole("order_days"),
        "Orders on {count} day so far.",
        "Orders on {count} different days so far.",
    ),
    Template(
        "order_days.30",
        ("order_days_last_30_days",),
        _whole("order_days_last_30_days"),
        "Orders on {count} day of the last 30.",
        "Orders on {count} days of the last 30.",
    ),
    Template(
        "order_days.90",
        ("order_days_last_90_days",),
        _whole("order_days_last_90_days"),
        "Orders on {count} day of the last 90.",
        "Orders on {count} days of the last 90.",
    ),
    *(
        Template(
            f"order_days.fading.{over}",
            (f"order_days_fading_over_{over}_days",),
            _fading(f"order_days_fading_over_{over}_days", over, "count"),
            "{count} day with an order; older days count less, over {wait}.",
            "{count} days with an order; older days count less, over {wait}.",
        )
        for over in (30, 90, 270)
    ),
    Template(
        "wait_as_share",
        ("wait_as_share_of_time_known",),
        _hundredths("wait_as_share_of_time_known"),
        "The time since the last order is {share} in 100 of the time since the first.",
    ),
    Template(
        "orders", ("orders",), _whole("orders"), "{count} order so far.", "{count} orders so far."
    ),
    Template(
        "products",
        ("products",),
        _whole("products"),
        "{count} product bought so far.",
        "{count} different products bought so far.",
    ),
    Template(
        "items",
        ("items",),
        _whole("items"),
        "{count} item bought so far.",
        "{count} items bought so far.",
    ),
    Template(
        "lines_per_order",
        ("lines_per_order",),
        _known(count="lines_per_order"),
        "{count} product in an order on average.",
        "{count} products in an order on average.",
    ),
    Template(
        "products.90",
        ("products_last_90_days",),
        _whole("products_last_90_days"),
        "{count} product bought in the last 90 days.",
        "{count} different products bought in the last 90 days.",
    ),
    Template("total_spent", ("total_spent",), _money("total_spent"), "{amount} spent so far."),
    Template(
        "highest_amount",
        ("highest_amount",),
        _money("highest_amount"),
        "At most {amount} spent on one product of an order.",
    ),
    Template(
        "spent.90",
        ("spent_last_90_days",),
        _money("spent_last_90_days"),
        "{amount} spent in the last 90 days.",
    ),
    *(
        Template(
            f"spent.fading.{over}",
            (f"spent_fading_over_{over}_days",),
            _fading(f"spent_fading_over_{over}_days", over, "amount"),
            "{amount} spent; older orders count less, over {wait}.",
        )
        for over in (90, 270)
    ),
    Template(
        "order_value",
        ("average_order_value",),
        _money("average_order_value"),
        "{amount} spent on an order on average.",
    ),
    Template(
        "usual_price",
        ("usual_price",),
        _money("usual_price"),
        "Usual price of the products bought: {amount}.",
    ),
    Template(
        "home.here",
        ("home_country",),
        _country("home_country", here=True),
        "Country of residence: {country}.",
    ),
    Template(
        "home.elsewhere",
        ("home_country",),
        _country("home_country", here=False),
        "Country of residence: not {country}.",
    ),
)
"""What is said of a customer when a feature speaks for or against leaving; of several for a
feature, the first that is true.
"""

RECOMMENDATION_TEMPLATES: tuple[Template, ...] = (
    Template(
        "bought.last",
        HISTORY,
        lambda values, _shop: _bought(values, last=True),
        "You bought this once, {ago}.",
        "You bought this {count} times, last {ago}.",
    ),
    Template(
        "bought",
        HISTORY,
        lambda values, _shop: _bought(values, last=False),
        "You bought this once.",
        "You bought this {count} times.",
    ),
    *(
        Template(feature, (feature,), _where(feature, _positive), text)
        for feature, text in (
            ("bought_with_your_products", "Often bought together with products that you bought."),
            (
                "bought_with_your_last_order",
                "Often bought together with products of your last order.",
            ),
            ("fits_your_products", "Customers who bought what you bought often choose this."),
            (
                "fits_your_last_order",
                "Customers who bought what you ordered last often choose this.",
            ),
            (
                "follows_your_products",
                "Often in the next order of customers who bought what you bought.",
            ),
            ("follows_your_last_order", "Often in the order that follows one like your last."),
            (
                "ordered_next_after_your_products",
                "Customers often order this next after products that you bought.",
            ),
            (
                "ordered_next_after_your_last_order",
                "Customers often order this next after an order like your last.",
            ),
            (
                "ordered_next_after_your_recent_orders",
                "Customers often order this next after orders like yours lately.",
            ),
        )
    ),
    Template(
        "share_of_your_orders",
        ("share_of_your_orders",),
        _share("share_of_your_orders"),
        "In {share} of every 100 of your orders.",
    ),
    Template(
        "location.here",
        ("popular_where_you_live",),
        _country("popular_where_you_live", here=True),
        "Often bought where you live ({country}).",
    ),
    Template(
        "location.elsewhere",
        ("popular_where_you_live",),
        _country("popular_where_you_live", here=False),
        "Often bought where you live (outside {country}).",
    ),
    Template(
        "price.near",
        ("price_against_usual",),
        _where("price_against_usual", lambda ratio: abs(ratio) < NEAR),
        "Its price is near what you usually pay.",
    ),
    Template(
        "price.less",
        ("price_against_usual",),
        _where("price_against_usual", lambda ratio: ratio <= -NEAR),
        "It costs less than what you usually pay.",
    ),
    Template(
        "fits_the_basket",
        ("fits_the_basket",),
        _where("fits_the_basket", _positive),
        "Customers who bought what is in the basket often choose this.",
    ),
    Template(
        "buyers",
        ("buyers",),
        _whole("buyers", 1),
        "{count} customer bought this.",
        "{count} customers bought this.",
    ),
    Template(
        "buyers.30",
        ("buyers_last_30_days",),
        _whole("buyers_last_30_days", 1),
        "{count} customer bought this in the last 30 days.",
        "{count} customers bought this in the last 30 days.",
    ),
    Template(
        "buyers.90",
        ("buyers_last_90_days",),
        _whole("buyers_last_90_days", 1),
        "{count} customer bought this in the last 90 days.",
        "{count} customers bought this in the last 90 days.",
    ),
    Template(
        "trend",
        ("trend",),
        _where("trend", lambda ratio: ratio > 1),
        "Bought by more customers lately than before.",
    ),
    Template(
        "repeat_rate",
        ("repeat_rate",),
        _share("repeat_rate"),
        "{share} in 100 customers who bought this bought it again.",
    ),
    Template(
        "days_on_sale", ("days_on_sale",), _known(wait="days_on_sale"), "On sale here for {wait}."
    ),
)
"""What is said for a recommended product; a higher price is no reason that anybody would want to
read, and is not said.
"""

DISCOVERY = Template(
    "discovery",
    (),
    _known(),
    "Outside your best matches: picked by chance, so that you can discover something new.",
)
"""What is said of a product that was drawn by lot for a place, whatever else speaks for it."""

_RANKS = "helps to rank products and says nothing of any one of them"
SILENT: Mapping[str, str] = {
    **dict.fromkeys(
        (
            "days_since_last_order",
            "days_since_first_order",
            "order_days",
            "order_days_last_30_days",
            "order_days_last_90_days",
            "days_between_orders",
            "overdue",
            "orders",
            "products",
            "items",
            "lines_per_order",
            "usual_price",
            "home_country",
        ),
        _RANKS,
    ),
    **dict.fromkeys(
        (
            "place_by_what_goes_with_yours",
            "place_by_what_fits_yours",
            "place_by_what_follows_yours",
        ),
        "a place in a list that nobody sees",
    ),
}
"""Features of the ranker that have no sentence, and why."""

TEMPLATES: Mapping[str, Template] = {
    template.key: template for template in (*CHURN_TEMPLATES, *RECOMMENDATION_TEMPLATES, DISCOVERY)
}
"""All sentences by key."""
