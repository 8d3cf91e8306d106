"""Which rows are taken in: each once, of customers who may be there, and within their retention."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import pandas as pd

from features.catalog import Catalog
from features.customers.pseudonyms import Customers
from features.intake.overlaps import in_a_later_export, in_an_earlier_file
from features.tables.declared import transactions
from features.tables.table import CUSTOMER, CUSTOMER_ID, RECORDED_AT, SOURCE, Table

REPLACED, REPEATED = "in_a_later_export", "in_an_earlier_file"
EXPIRED, ERASED = "past_retention", "erased_customers"
NOTHING = pd.Series(dtype=bool)


@dataclass(frozen=True)
class Admitted:
    """Rows of a customers' table with the pseudonyms, and how many were `left_out`, by reason.

    `overlapping` and `expired` are sources of rows that other files have too, and of rows past
    their retention.
    """

    rows: pd.DataFrame
    left_out: dict[str, int]
    overlapping: frozenset[str] = frozenset()
    expired: frozenset[str] = frozenset()


def admitted(
    rows: pd.DataFrame, table: Table, customers: Customers, catalog: Catalog, now: datetime
) -> Admitted:
    """The rows that are taken in, of all that were kept for a table."""
    if rows.empty:
        return Admitted(rows.assign(customer=pd.Series(dtype="int64")), {})
    replaced = in_a_later_export(rows) if table.name == transactions.NAME else NOTHING
    overlapping = _sources(rows[replaced]) if replaced.any() else frozenset()
    rows = rows[~replaced] if replaced.any() else rows
    again = in_an_earlier_file(rows, table.content)
    overlapping |= _sources(rows[again])
    rows = rows[~again] if again.any() else rows
    old = rows[RECORDED_AT] < kept_since(table, catalog, now)
    young = rows[~old] if old.any() else rows
    named = young.assign(customer=customers.assign(young[CUSTOMER_ID]))
    erased = named[CUSTOMER].isna()
    left_out = {REPLACED: replaced, REPEATED: again, EXPIRED: old, ERASED: erased}
    return Admitted(
        (named[~erased] if erased.any() else named).astype({CUSTOMER: "int64"}),
        {why: int(rows_out.sum()) for why, rows_out in left_out.items()},
        overlapping,
        _sources(rows[old]),
    )


def kept_since(table: Table, catalog: Catalog, now: datetime) -> pd.Timestamp:
    """The moment (naive UTC) before which nothing of a table is kept."""
    days = max(days_kept(table, catalog), default=0)
    return pd.Timestamp((now - timedelta(days=days)).replace(tzinfo=None)).as_unit("us")


def days_kept(table: Table, catalog: Catalog) -> Sequence[int]:
    """For how many days each field of a table is kept."""
    return [one.retention_days for one in catalog.fields.values() if one.table == table.name]


def _sources(rows: pd.DataFrame) -> frozenset[str]:
    return frozenset(rows[SOURCE].unique())
