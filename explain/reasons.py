"""Reasons in plain words: fixed sentences by feature, filled with the customer's own numbers.

A sentence states a fact that was used and claims no cause. It never mentions a feature that was withheld, since such a
feature has neither value nor contribution.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from explain.explanation import Contribution, Reason
from features.catalog import PRODUCT

MOST_REASONS = 4
NEAR = 0.25
"""Prices within about a quarter of one another are near."""
WORTH_SAYING = 0.01

Values = Mapping[str, float]


@dataclass(frozen=True)
class Wording:
    """How numbers are said for one shop."""

    currency: str = ""
    home_country: str = ""

    def money(self, amount: float) -> str:
        """An amount with its currency."""
        return f"{amount:,.2f} {self.currency}".strip()


Sentence = Callable[[Values, Wording], str | None]
"""Says what is known of a feature, or None where that would not be true of its value."""


def days(number: float) -> str:
    """A number of days in words."""
    whole = round(number)
    return "less than a day" if whole < 1 else "1 day" if whole == 1 else f"{whole:,} days"


def ago(number: float) -> str:
    """How long ago, in words."""
    whole = round(number)
    return "today" if whole < 1 else "yesterday" if whole == 1 else f"{whole:,} days ago"


def counted(number: float, one: str, many: str) -> str:
    """A number with its noun."""
    return f"1 {one}" if round(number) == 1 else f"{round(number):,} {many}"


def _rhythm(values: Values, _wording: Wording) -> str | None:
    last, usual = values.get("days_since_last_order"), values.get("days_between_orders", 0.0)
    rhythm = f"usually orders every {counted(usual, 'day', 'days')}" if usual >= 1 else None
    said = [part for part in (None if last is None else f"last ordered {ago(last)}", rhythm) if part]
    return f"{'; '.join(said).capitalize()}." if said else _overdue(values)


def _overdue(values: Values) -> str | None:
    """The wait since the last order in units of the usual one, for a shop that lists neither by itself."""
    waits = values.get("overdue")
    return None if waits is None else f"The wait since the last order is {waits:.1f} times the usual one."


def _bought_before(values: Values, _wording: Wording) -> str | None:
    times = round(values.get("times_bought", 0))
    if not times:
        return None
    said = "You bought this once" if times == 1 else f"You bought this {times} times"
    last = values.get("days_since_last_bought")
    return f"{said}, last {ago(last)}." if last is not None else f"{said}."


def _share(values: Values, _wording: Wording) -> str | None:
    """How regularly the product was bought; more than all orders there cannot be."""
    share = values["share_of_your_orders"]
    return f"In {round(100 * share)} in 100 of your orders." if WORTH_SAYING <= share <= 1 else None


def _location(values: Values, wording: Wording) -> str:
    if values.get("home_country"):
        return f"Often bought where you live ({wording.home_country})."
    return f"Often bought where you live (outside {wording.home_country})."


def _price(values: Values, _wording: Wording) -> str | None:
    """A higher price is no reason that anybody would want to read, even where it speaks for a product."""
    ratio = values["price_against_usual"]
    if abs(ratio) < NEAR:
        return "Its price is near what you usually pay."
    return "It costs less than what you usually pay." if ratio < 0 else None


def _together(feature: str, text: str) -> Sentence:
    """`text` where the product really is bought along with something of the customer's."""
    return lambda values, _wording: text if values[feature] > 0 else None


def _buyers(feature: str, text: str) -> Sentence:
    """How many customers did what `text` says, where any did."""
    return lambda values, _wording: f"{counted(values[feature], 'customer', 'customers')} {text}" if values[feature] >= 1 else None


def _fading_days(feature: str, over: int) -> Sentence:
    """Days with an order, the older counting less."""
    return lambda values, _wording: f"Over about {over} days, older orders counting less: ordered on {values[feature]:.1f} days."


def _fading_spending(feature: str, over: int) -> Sentence:
    """Money spent, the older counting less."""
    return lambda values, wording: f"Over about {over} days, older orders counting less: spent {wording.money(values[feature])}."


def _lives(values: Values, wording: Wording) -> str:
    return f"Lives in {wording.home_country}." if values["home_country"] else f"Lives outside {wording.home_country}."


CHURN_SENTENCES: dict[str, Sentence] = {
    "days_since_last_order": _rhythm,
    "days_between_orders": _rhythm,
    "overdue": _rhythm,
    "days_since_first_order": lambda v, _w: f"First ordered {ago(v['days_since_first_order'])}.",
    "order_days": lambda v, _w: f"Ordered on {counted(v['order_days'], 'day', 'different days')} so far.",
    "order_days_last_30_days": lambda v, _w: f"Ordered on {counted(v['order_days_last_30_days'], 'day', 'days')} of the last 30.",
    "order_days_last_90_days": lambda v, _w: f"Ordered on {counted(v['order_days_last_90_days'], 'day', 'days')} of the last 90.",
    **{name: _fading_days(name, over) for over, name in ((n, f"order_days_fading_over_{n}_days") for n in (30, 90, 270))},
    "wait_as_share_of_time_known": lambda v, _w: (
        f"The time since the last order is {100 * v['wait_as_share_of_time_known']:.0f}% of the time since the first."
    ),
    "orders": lambda v, _w: f"Placed {counted(v['orders'], 'order', 'orders')} so far.",
    "products": lambda v, _w: f"Bought {counted(v['products'], 'product', 'different products')} so far.",
    "items": lambda v, _w: f"Bought {counted(v['items'], 'item', 'items')} so far.",
    "lines_per_order": lambda v, _w: f"Buys {counted(v['lines_per_order'], 'product', 'products')} with an order on average.",
    "products_last_90_days": lambda v, _w: (
        f"Bought {counted(v['products_last_90_days'], 'product', 'different products')} in the last 90 days."
    ),
    "total_spent": lambda v, w: f"Spent {w.money(v['total_spent'])} so far.",
    "highest_amount": lambda v, w: f"Spent at most {w.money(v['highest_amount'])} on one product of an order.",
    "spent_last_90_days": lambda v, w: f"Spent {w.money(v['spent_last_90_days'])} in the last 90 days.",
    **{name: _fading_spending(name, over) for over, name in ((n, f"spent_fading_over_{n}_days") for n in (90, 270))},
    "average_order_value": lambda v, w: f"Spends {w.money(v['average_order_value'])} on an order on average.",
    "usual_price": lambda v, w: f"Usually buys products at {w.money(v['usual_price'])}.",
    "home_country": _lives,
}
"""What is said of a customer when a feature speaks for or against leaving."""

RECOMMENDATION_SENTENCES: dict[str, Sentence] = {
    **dict.fromkeys(
        ("times_bought", "days_since_last_bought", "days_since_first_bought", "orders_since_last_bought", "recent_frequency"),
        _bought_before,
    ),
    "bought_with_your_products": _together("bought_with_your_products", "Often bought together with products that you bought."),
    "bought_with_your_last_order": _together("bought_with_your_last_order", "Often bought together with products of your last order."),
    "fits_your_products": _together("fits_your_products", "Customers who bought what you bought often choose this."),
    "fits_your_last_order": _together("fits_your_last_order", "Customers who bought what you ordered last often choose this."),
    "follows_your_products": _together("follows_your_products", "Often in the next order of customers who bought what you bought."),
    "follows_your_last_order": _together("follows_your_last_order", "Often in the order that follows one like your last."),
    "ordered_next_after_your_products": _together(
        "ordered_next_after_your_products", "Customers often order this next after products that you bought."
    ),
    "ordered_next_after_your_last_order": _together(
        "ordered_next_after_your_last_order", "Customers often order this next after an order like your last."
    ),
    "ordered_next_after_your_recent_orders": _together(
        "ordered_next_after_your_recent_orders", "Customers often order this next after orders like yours lately."
    ),
    "place_among_yours": _bought_before,
    "share_of_your_orders": _share,
    "popular_where_you_live": _location,
    "price_against_usual": _price,
    "buyers": _buyers("buyers", "bought this."),
    "buyers_last_30_days": _buyers("buyers_last_30_days", "bought this in the last 30 days."),
    "buyers_last_90_days": _buyers("buyers_last_90_days", "bought this in the last 90 days."),
    "trend": lambda v, _w: "More customers buy this lately." if v["trend"] > 1 else None,
    "repeat_rate": lambda v, _w: (
        f"{round(100 * v['repeat_rate'])} in 100 customers who bought this bought it again." if v["repeat_rate"] >= WORTH_SAYING else None
    ),
    "days_on_sale": lambda v, _w: f"On sale here for {days(v['days_on_sale'])}.",
}
"""What is said of a recommended product. A feature without a sentence says nothing of a product and gives no reason."""


def reasons_for(
    contributions: Sequence[Contribution], values: Values, sentences: Mapping[str, Sentence], wording: Wording, *, helpful_only: bool
) -> list[Reason]:
    """At most four reasons, one for each category, the largest contribution first.

    `values` holds all features that are known (never `NaN`). With `helpful_only`, only what speaks for the answer counts, as for
    a recommendation.
    """
    reasons: dict[str, Reason] = {}
    for contribution in sorted(contributions, key=lambda c: -abs(c.contribution)):
        sentence = sentences.get(contribution.feature)
        if sentence is None or contribution.category in reasons or (helpful_only and contribution.contribution <= 0):
            continue
        if (text := sentence(values, wording)) is not None:
            reasons[contribution.category] = Reason(contribution.category, text)
    personal_first = sorted(reasons.values(), key=lambda reason: reason.category == PRODUCT)
    return personal_first[:MOST_REASONS]
