"""Orders that anybody may use, such as a published data set: plain tables, and a gate that lets all
of them pass.

Benchmarks run on them through the same gate, definitions and catalog as a shop's own orders.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import mkdtemp
from weakref import finalize

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from features.catalog import Catalog, Category, DataSource, Field
from features.errors import SourceError
from features.intake.setup.standard_catalog import standard_fields
from features.tables.declared import transactions
from features.tables.declared.transactions import (
    AMOUNT,
    ORDER_ID,
    ORDERED_AT,
    PRODUCT_ID,
    QUANTITY,
    UNIT_PRICE,
)
from features.tables.table import RECORDED_AT
from features.tables.table import SOURCE as SOURCE_COLUMN
from features.tables.tables import STANDARD
from features.warehouse.arrow import arrow_table
from features.warehouse.gate import Gate
from features.warehouse.store import Warehouse

COLUMNS = ("customer_id", "date", "value")
SOURCE = "public"
FOREVER = 36_500
"""Days within which published data may be used: a century."""


def read_public_orders(file: Path) -> pd.DataFrame:
    """Orders of a Parquet file with `customer_id, date, value`: customer (int64), ordered_at
    (datetime64[us]), amount (float64).

    Other columns are left alone. Customers are numbered in the order of their ids; rows without one
    are left out. Raises `SourceError` where a column is missing or holds something else.
    """
    frame = read_parquet(file)
    missing = [name for name in COLUMNS if name not in frame]
    if missing:
        raise SourceError(
            f"it has the columns {', '.join(map(str, frame))} and lacks {', '.join(missing)};"
            " rename them so",
            file=file,
        )
    known = frame[frame["customer_id"].notna()]
    if known.empty:
        raise SourceError("no row has a customer_id, so there is nobody to learn from", file=file)
    customer = _numbered(known)
    orders = pd.DataFrame(
        {
            "customer": customer,
            ORDERED_AT: _moments(known["date"], file),
            AMOUNT: _amounts(known["value"], file),
        }
    )
    return orders.sort_values([ORDERED_AT, "customer", AMOUNT], ignore_index=True)


def read_public_groups(file: Path, column: str) -> pd.Series:
    """What `column` says of each customer of such a file (their first row that says anything), by
    the same numbers: index customer, str.

    Raises `SourceError` where there is no such column.
    """
    frame = read_parquet(file)
    if column not in frame or "customer_id" not in frame:
        raise SourceError(
            f"it has the columns {', '.join(map(str, frame))} and lacks {column}", file=file
        )
    known = frame[frame["customer_id"].notna()]
    customer = _numbered(known)
    said = known[column].set_axis(customer).dropna()
    return said[~said.index.duplicated()].astype("str").sort_index()


def _numbered(known: pd.DataFrame) -> NDArray[np.int64]:
    """Customers numbered in the order of their ids, (rows,)."""
    return np.asarray(
        np.unique(known["customer_id"].astype("str").to_numpy(), return_inverse=True)[1],
        dtype=np.int64,
    )


def read_parquet(file: Path) -> pd.DataFrame:
    """A Parquet file. Raises `SourceError` where it is none, or is empty."""
    try:
        frame: pd.DataFrame = pq.read_table(file).to_pandas()
    except FileNotFoundError:
        raise SourceError("there is no such file", file=file) from None
    except (pa.ArrowException, OSError) as error:
        raise SourceError(f"it cannot be read as Parquet: {error}", file=file) from None
    if frame.empty:
        raise SourceError("it has no rows", file=file)
    return frame


def known_until(orders: pd.DataFrame) -> datetime:
    """The midnight after the last order."""
    last: pd.Timestamp = orders[ORDERED_AT].max()
    return datetime(last.year, last.month, last.day) + timedelta(days=1)  # noqa: DTZ001 - times are naive UTC, as in the warehouse


def public_gate(orders: pd.DataFrame, catalog: Catalog, purpose: str) -> Gate:
    """A gate for `purpose` to `orders`, through which everybody's fields of `catalog` may be seen.

    `orders` has customer (int64), ordered_at (datetime64) and the columns of the catalog's fields;
    an order without a number is its customer's at its moment. The warehouse that they are put in is
    a folder of its own, gone with the gate.
    """
    folder = mkdtemp(prefix="sayso-")
    warehouse = Warehouse(Path(folder))
    finalize(warehouse, shutil.rmtree, folder)
    lines = _order_lines(orders)
    warehouse.replace({transactions.NAME: arrow_table(lines, transactions.TABLE)})
    customers = pd.DataFrame({"customer": orders["customer"].unique()})
    granted = customers.merge(pd.DataFrame({"category": list(catalog.categories)}), how="cross")
    everything = granted.assign(
        covers_from=pd.Series(pd.NaT, granted.index, dtype="datetime64[us]")
    )
    return Gate(warehouse, catalog, purpose, everything, known_until(orders).replace(tzinfo=UTC))


def _order_lines(orders: pd.DataFrame) -> pd.DataFrame:
    """A line for each order, with what the orders do not tell left at nothing."""
    moments = orders[ORDERED_AT]
    told = {
        PRODUCT_ID: "",
        QUANTITY: 1,
        UNIT_PRICE: 0.0,
        AMOUNT: 0.0,
        SOURCE_COLUMN: SOURCE,
        ORDER_ID: orders["customer"].astype("str") + "-" + moments.astype("int64").astype("str"),
        RECORDED_AT: moments,
    }
    known = {str(name): column for name, column in orders.items()}
    return pd.DataFrame({**told, **known}, index=orders.index)


def public_catalog(purpose: str, given: Collection[str]) -> Catalog:
    """The standard catalog's fields that are `given`, with their categories, for one purpose."""
    fields = [
        Field(
            f.table,
            f.column,
            f.category,
            frozenset((purpose,)),
            "ordinary",
            SOURCE,
            FOREVER,
            f.label,
        )
        for f in standard_fields(transactions.TABLE)
        if f"{f.table}.{f.column}" in given
    ]
    held = {field.category for field in fields}
    categories: dict[str, Category] = {
        category.name: category for category in STANDARD.categories if category.name in held
    }
    return Catalog(
        {field.name: field for field in fields}, categories, {}, (), {SOURCE: DataSource(SOURCE)}
    )


def _moments(dates: pd.Series, file: Path) -> pd.Series:
    try:
        moments = pd.to_datetime(dates, utc=True).dt.tz_localize(None).astype("datetime64[us]")
    except (ValueError, TypeError) as error:
        raise SourceError(
            f"the column date holds something that is no date: {error}", file=file
        ) from None
    if moments.isna().any():
        raise SourceError(
            f"{int(moments.isna().sum())} rows have no date; remove or fill them", file=file
        )
    return moments


def _amounts(values: pd.Series, file: Path) -> pd.Series:
    try:
        amounts = pd.to_numeric(values).astype("float64")
    except (ValueError, TypeError) as error:
        raise SourceError(
            f"the column value holds something that is no number: {error}", file=file
        ) from None
    wrong = int((~np.isfinite(amounts)).sum())
    if wrong:
        raise SourceError(f"{wrong} rows have no finite value; remove or fill them", file=file)
    return amounts
