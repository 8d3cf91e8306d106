"""What a shop recorded, with everything withheld altered: other values, absurd ones, none, rows
gone, rows more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from features.catalog import Catalog
from features.synthetic.presets import PROVED
from features.synthetic.shop import BEGIN, SyntheticShop
from features.tables.declared import customers, products, transactions
from features.tables.declared.customers import COUNTRY
from features.tables.declared.transactions import (
    AMOUNT,
    ORDER_ID,
    ORDERED_AT,
    PRODUCT_ID,
    QUANTITY,
    UNIT_PRICE,
)
from features.tables.table import CUSTOMER, CUSTOMER_ID, RECORDED_AT, SOURCE
from features.warehouse.arrow import arrow_table, schema_of

Bools = NDArray[np.bool_]
TABLES = {its.NAME: its.TABLE for its in (transactions, customers, products)}
SCHEMAS = {name: schema_of(table) for name, table in TABLES.items()}
ORDERS = "orders"
"""Name of the one data source."""
OTHER, ABSURD, NOTHING = range(3)
"""What a value of a row that stays becomes."""
GONE, MORE = 0, 1
"""What becomes of all rows of a customer who withholds every field of them; else their values
change.
"""
ABSURDITY = {
    QUANTITY: 10**9,
    UNIT_PRICE: 1e9,
    AMOUNT: 1e9,
    COUNTRY: "Nowhere",
    ORDERED_AT: pd.Timestamp("1970-01-01"),
}
NEVER_MISSING = (ORDER_ID, PRODUCT_ID)
"""Every row has these; one that has none becomes an absurd one."""
LOOK_BACK = np.timedelta64(30, "D")
"""Training looks back at moments so far apart, counted from the end."""


@dataclass(frozen=True)
class Recorded:
    """Rows by table, in the columns of the warehouse; a value may be missing."""

    frames: Mapping[str, pd.DataFrame]

    @classmethod
    def of(cls, world: SyntheticShop, pseudonyms: pd.Series) -> Recorded:
        """What the shop of `world` recorded; `pseudonyms` by customer id."""
        stamps: dict[str, Any] = {RECORDED_AT: world.lines[ORDERED_AT], SOURCE: ORDERS}
        lines = world.lines.assign(customer=world.lines[CUSTOMER_ID].map(pseudonyms), **stamps)
        titles = lines.drop_duplicates(PRODUCT_ID).assign(product_category=None, brand=None)
        homes = lines.drop_duplicates(CUSTOMER)
        named = {transactions.NAME: lines, customers.NAME: homes, products.NAME: titles}
        frames = {
            name: frame.reindex(columns=SCHEMAS[name].names).reset_index(drop=True)
            for name, frame in named.items()
        }
        order_lines = frames[transactions.NAME].astype({QUANTITY: "Int64"})
        return cls({**frames, transactions.NAME: order_lines})

    @property
    def tables(self) -> dict[str, pa.Table]:
        """The rows as the warehouse takes them."""
        return {
            name: arrow_table(frame.loc[:, frame.notna().any()], TABLES[name])
            for name, frame in self.frames.items()
        }

    def altered(
        self, catalog: Catalog, withheld: pd.DataFrame, draw: np.random.Generator
    ) -> Recorded:
        """The same with other data wherever a customer (index of `withheld`, by pseudonym)
        withholds a category (its columns).
        """
        personal = {
            name: _altered(self.frames[name], name, catalog, withheld, draw)
            for name in (transactions.NAME, customers.NAME)
        }
        return Recorded({**self.frames, **personal})

    def differing(self, other: Recorded) -> set[int]:
        """Customers of whom the two recorded something different."""
        return {
            customer
            for name in (transactions.NAME, customers.NAME)
            for customer in _differing(self.frames[name], other.frames[name])
        }


def _altered(
    frame: pd.DataFrame,
    table: str,
    catalog: Catalog,
    withheld: pd.DataFrame,
    draw: np.random.Generator,
) -> pd.DataFrame:
    category_of = {
        field.column: field.category for field in catalog.fields.values() if field.table == table
    }
    rows = withheld.loc[frame[CUSTOMER], list(category_of.values())].to_numpy(dtype=bool)
    changed = frame.copy()
    for column, hidden in zip(category_of, rows.T, strict=True):
        changed[column] = _values(frame[column], column, hidden, _by_customer(frame, 3, draw), draw)
    wholly: Bools = np.asarray(rows.all(axis=1), dtype=bool)
    timed: Bools = (
        wholly
        if table == customers.NAME
        else withheld.loc[frame[CUSTOMER], category_of[ORDERED_AT]].to_numpy(dtype=bool)
    )
    changed[RECORDED_AT] = _recorded(frame[RECORDED_AT], timed, wholly, draw)
    fate = np.where(wholly, _by_customer(frame, 3, draw), -1)
    more = changed[fate == MORE]
    more = more.assign(recorded_at=_anywhen(len(more), draw))
    altered: pd.DataFrame = pd.concat([changed[fate != GONE], more], ignore_index=True)
    return altered


def _by_customer(frame: pd.DataFrame, ways: int, draw: np.random.Generator) -> NDArray[np.int64]:
    """One of so many ways for each row, the same for all rows of a customer."""
    position, customers = pd.factorize(frame[CUSTOMER])
    return np.asarray(draw.integers(ways, size=len(customers))[position])


def _values(
    values: pd.Series, column: str, hidden: Bools, way: NDArray[np.int64], draw: np.random.Generator
) -> pd.Series:
    changed = values.copy()
    other = hidden & (way == OTHER)
    changed[other] = _redrawn(column, int(other.sum()), draw)
    absurd = ABSURDITY.get(column, "none-such")
    changed[hidden & (way == ABSURD)] = absurd
    changed[hidden & (way == NOTHING)] = absurd if column in NEVER_MISSING else None
    return changed


def _redrawn(column: str, count: int, draw: np.random.Generator) -> object:
    if column == ORDERED_AT:
        return _anywhen(count, draw)
    if column == COUNTRY:
        return draw.choice(PROVED.countries, size=count)
    if column == QUANTITY:
        return draw.integers(1, 50, count)
    if column in {UNIT_PRICE, AMOUNT}:
        return np.round(draw.uniform(0.5, 400, count), 2)
    return [f"{column[0]}{number:02}" for number in draw.integers(0, 60, count)]


def _anywhen(count: int, draw: np.random.Generator) -> NDArray[np.datetime64]:
    """Moments before the last day, so that the day up to which the shop was loaded stays what it
    is.
    """
    seconds = draw.integers(0, (PROVED.days - 1) * 86_400, count)
    return np.datetime64(BEGIN, "us") + seconds.astype("timedelta64[s]")


def _recorded(
    recorded: pd.Series, timed: Bools, wholly: Bools, draw: np.random.Generator
) -> pd.Series:
    """When rows were written down, where that tells of what is withheld.

    A row that nobody may see was written down at any time. One of which something may be seen keeps
    its place between the moments that training looks back from: seeing it from a moment on is what
    being recorded means.
    """
    changed = recorded.copy()
    changed[wholly] = _anywhen(int(wholly.sum()), draw)
    moved = timed & ~wholly
    ages = np.datetime64(PROVED.end, "us") - recorded[moved].to_numpy()
    back = np.asarray(ages, "timedelta64[us]") // LOOK_BACK
    within = draw.integers(1, LOOK_BACK // np.timedelta64(1, "s"), int(moved.sum())).astype(
        "timedelta64[s]"
    )
    changed[moved] = np.datetime64(PROVED.end, "us") - back * LOOK_BACK - within
    return changed


def _differing(one: pd.DataFrame, other: pd.DataFrame) -> set[int]:
    marks = pd.concat([_marks(one), _marks(other)], axis=1, keys=["one", "other"])
    return set(marks.index[marks["one"] != marks["other"]].tolist())


def _marks(frame: pd.DataFrame) -> pd.Series:
    """One number for all that a table holds of a customer, in whatever order."""
    return pd.util.hash_pandas_object(frame, index=False).groupby(frame[CUSTOMER]).sum()
