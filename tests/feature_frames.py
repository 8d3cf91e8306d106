"""Feature frames of made-up grants, for tests of the gate and of whatever is made behind it."""

from __future__ import annotations

import itertools
from datetime import datetime

import pandas as pd

from features.definitions.definition import ShopFacts
from features.definitions.definitions import STANDARD
from features.definitions.frames import customer_frame, history_frame, is_of_history
from features.warehouse.gate import Gate

CATEGORIES = ("purchases", "order_times", "spending", "location")
COLUMNS_OF = {
    "purchases": ("order_id", "product_id", "quantity"),
    "order_times": ("ordered_at",),
    "spending": ("unit_price", "amount"),
    "location": ("country",),
}
OF_ORDERS = tuple(
    name
    for name, definition in STANDARD.by_feature.items()
    if all(
        field.partition(".")[2] in itertools.chain(*COLUMNS_OF.values())
        for field in definition.reads
    )
)
CUSTOMER_FEATURES = tuple(name for name in OF_ORDERS if not is_of_history(name))
HISTORY_FEATURES = tuple(name for name in OF_ORDERS if is_of_history(name))
FACTS = ShopFacts("France")
MOMENTS = (datetime(2024, 3, 1), datetime(2024, 7, 1))  # noqa: DTZ001 - the warehouse's times are naive UTC
FUTURE = MOMENTS[-1]
DAY = pd.Timedelta(days=1)


def granted_all(customers: pd.Index) -> pd.DataFrame:
    """Grants of every category by every customer."""
    return covering(
        pd.DataFrame(
            [(customer, category) for customer in customers for category in CATEGORIES],
            columns=["customer", "category"],
        )
    )


def covering(grants: pd.DataFrame) -> pd.DataFrame:
    """Grants (customer, category) as those of a notice that speaks of all data, whenever it was
    recorded.
    """
    return grants.astype({"customer": "int64", "category": "str"}).assign(
        covers_from=pd.Series(pd.NaT, grants.index, "datetime64[us]")
    )


def spine_of(customers: pd.Index, moments: tuple[datetime, ...]) -> pd.DataFrame:
    """Every customer at every moment."""
    parts = [
        pd.DataFrame({"customer": customers, "as_of": pd.Timestamp(moment).as_unit("us")})
        for moment in moments
    ]
    return pd.concat(parts, ignore_index=True)


def frames(
    gate: Gate, spine: pd.DataFrame, facts: ShopFacts = FACTS
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Customer and history features of a spine."""
    return customer_frame(gate, CUSTOMER_FEATURES, spine, facts), history_frame(
        gate, HISTORY_FEATURES, spine, facts
    )
