"""What a workspace of the proof has loaded, under the shop's own ids and to the last bit."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pandas as pd

from features.config.environment import Settings
from features.shop.shop import Shop
from features.tables.declared import transactions
from features.tables.declared.products import TITLE
from features.tables.table import CUSTOMER_ID

VALUES = [
    CUSTOMER_ID,
    transactions.ORDER_ID,
    transactions.PRODUCT_ID,
    transactions.ORDERED_AT,
    transactions.QUANTITY,
    transactions.UNIT_PRICE,
    transactions.AMOUNT,
    TITLE,
]
OWN = Settings(
    workspace=Path("workspace"), database_url=None, mlflow_uri=None, public_url=None, secret=None
)
"""Whatever the environment says, a selftest works in its own folder."""


def loaded(shop: Shop) -> pd.DataFrame:
    """The warehouse's order lines under the shop's own ids, with the products' titles."""
    lines = shop.warehouse.collect(shop.warehouse.table(transactions.NAME))
    named = lines.assign(customer_id=lines["customer"].map(shop.customers.all()))
    return named.merge(
        shop.warehouse.products()[[transactions.PRODUCT_ID, TITLE]],
        on=transactions.PRODUCT_ID,
        how="left",
    )[VALUES]


def same(one: pd.DataFrame, other: pd.DataFrame) -> bool:
    """Whether both hold the same rows, to the last bit, in whatever order."""
    return Counter(one.itertuples(index=False, name=None)) == Counter(
        other.itertuples(index=False, name=None)
    )
