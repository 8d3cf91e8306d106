"""Retention: what is older than its field may be kept is deleted from a table."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from features.catalog import Catalog
from features.tables.table import RECORDED_AT

Deleted = dict[str, int]
"""What was deleted, by field; a whole row under the name of its table."""


def without_expired(
    name: str, table: pa.Table, catalog: Catalog, now: datetime
) -> tuple[pa.Table, Deleted]:
    """`table` without the rows that no field of it may keep any longer, and without the values that
    their own field may not.

    A row's age counts from the time at which the shop recorded it.
    """
    kept_days = {
        field.column: field.retention_days
        for field in catalog.fields.values()
        if field.table == name
    }
    kept_days = {column: days for column, days in kept_days.items() if column in table.column_names}
    if not kept_days or RECORDED_AT not in table.column_names:
        return table, {}
    deleted: Deleted = {}
    whole = _older(table, max(kept_days.values()), now)
    if whole.any():
        deleted[name] = int(whole.sum())
        table = table.filter(pa.array(~whole))
    for column, days in kept_days.items():
        old = _older(table, days, now) & table[column].is_valid().to_numpy()
        if old.any():
            deleted[f"{name}.{column}"] = int(old.sum())
            emptied = pc.if_else(
                pa.array(old), pa.scalar(None, table.schema.field(column).type), table[column]
            )
            table = table.set_column(table.column_names.index(column), column, emptied)
    return table, deleted


def _older(table: pa.Table, days: int, now: datetime) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    limit = pd.Timestamp((now - timedelta(days=days)).replace(tzinfo=None)).to_datetime64()
    return np.asarray(table[RECORDED_AT].to_numpy() < limit)
