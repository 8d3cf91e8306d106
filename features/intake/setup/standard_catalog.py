"""The fields, categories and words that a new workspace starts from; the shop owner edits them in
`sayso.toml`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from features.catalog import PRODUCT, Category

CATEGORIES = (
    Category(
        "purchases",
        "What you bought",
        "The products in your orders and in your basket, and how many of each.",
    ),
    Category("order_times", "When you ordered", "The days and times of your orders."),
    Category("spending", "How much you spent", "The prices and totals of your orders."),
    Category("location", "Where you live", "The country that you order from."),
)
SPOKEN = {
    "purchases": "what you bought",
    "order_times": "when you ordered",
    "spending": "how much you spent",
    "location": "the country that you live in",
}
YEAR = 365
PERSONAL = ("recommendations", "churn_prediction")
RETENTION_DAYS = 1_095


@dataclass(frozen=True)
class StandardField:
    """A field as it is declared unless the shop says otherwise."""

    table: str
    column: str
    category: str
    purposes: tuple[str, ...]
    label: str
    source: str = ""
    retention_days: int = RETENTION_DAYS


ORDER_FIELDS = (
    StandardField("transactions", "order_id", "purchases", PERSONAL, "Your orders"),
    StandardField("transactions", "product_id", "purchases", PERSONAL, "Products you bought"),
    StandardField("transactions", "quantity", "purchases", PERSONAL, "How many of each you bought"),
    StandardField("transactions", "ordered_at", "order_times", PERSONAL, "When you ordered"),
    StandardField("transactions", "unit_price", "spending", PERSONAL, "Prices of what you bought"),
    StandardField("transactions", "amount", "spending", PERSONAL, "What you paid"),
)
COUNTRY = StandardField(
    "customers", "country", "location", (*PERSONAL, "fairness_audit"), "Your country"
)
PRODUCT_FIELDS = (
    StandardField("products", "title", PRODUCT, (), "Name of the product"),
    StandardField("products", "product_category", PRODUCT, (), "Department of the product"),
    StandardField("products", "brand", PRODUCT, (), "Brand of the product"),
)


def retention_days(oldest: datetime | None, now: datetime) -> int:
    """How long a new workspace keeps data: three years, or as long as the oldest line and one more
    year need.
    """
    if oldest is None:
        return RETENTION_DAYS
    age = now.replace(tzinfo=None) - oldest
    return max(RETENTION_DAYS, (age.days // YEAR + 2) * YEAR)


def spoken(categories: Collection[str]) -> str:
    """The categories within a sentence to the customer, such as "what you bought and when you
    ordered".
    """
    words = [SPOKEN[name] for name in categories]
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
