"""Figures of a load: counts, freshness, empty cells, ranges and shares. No id is among them, and no
value that fewer than `FEWEST` rows have.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from features.intake.health.stored_table import Cells, StoredTable
from features.tables.declared.transactions import CURRENCY
from features.tables.table import SOURCE, Kind, Table

FEWEST = 20
"""A value that fewer rows have is told of nobody: it might be some person's."""
RAREST = 0.01
"""Share of the rows from which a value is worth a line of its own."""
LOOKED_AT = 200_000
"""Numbers of a column whose quantiles are taken, evenly spread: more do not change them."""
QUANTILES = (0.05, 0.5, 0.95)


@dataclass(frozen=True)
class Range:
    """Where the numbers of a column lie: the smallest, three quantiles, the largest."""

    least: float
    lower: float
    middle: float
    upper: float
    most: float


@dataclass(frozen=True)
class TableFigures:
    """A table: its rows; by column the share of empty cells, the range of numbers, and the share of
    each frequent value.
    """

    rows: int
    empty: dict[str, float] = field(default_factory=dict)
    ranges: dict[str, Range] = field(default_factory=dict)
    shares: dict[str, dict[str, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Figures:
    """A load: how many `lines`, `orders`, `customers` and `products` the warehouse holds; the
    oldest and the newest moment (naive UTC) and the usual pause between days with orders; shares
    of the lines read by what became of them and by currency; and each table.
    """

    counts: dict[str, int]
    oldest: datetime
    newest: datetime
    pause_days: int
    outcomes: dict[str, float]
    currencies: dict[str, float]
    tables: dict[str, TableFigures]


def table_figures(
    rows: StoredTable | pa.Table, table: Table, sensitive: AbstractSet[str]
) -> TableFigures:
    """The figures of a table's `rows`; of the fields `sensitive` no shares are taken."""
    kinds = {name: column.kind for name, column in table.by_name.items()}
    if SOURCE in rows.column_names:
        kinds[SOURCE] = Kind.TEXT
    found = TableFigures(rows.num_rows)
    for name, kind in kinds.items():
        if name not in rows.column_names or not rows.num_rows:
            continue
        nulls = rows.nulls(name) if isinstance(rows, StoredTable) else rows[name].null_count
        found.empty[name] = round(nulls / rows.num_rows, 4)
        if kind.is_number and nulls < rows.num_rows:
            found.ranges[name] = _range(rows[name])
        if kind is Kind.TEXT and f"{table.name}.{name}" not in sensitive:
            found.shares[name] = _shares(rows[name]) if nulls < rows.num_rows else {}
    return found


def shares(counts: Mapping[str, int]) -> dict[str, float]:
    """What part of all each count is; those of 0 are left out."""
    whole = sum(counts.values())
    return {name: round(count / whole, 4) for name, count in counts.items() if count}


def currency_counts(lines: pd.DataFrame) -> dict[str, int]:
    """How many of the lines name each currency, as far as a source names one."""
    if CURRENCY not in lines:
        return {}
    counts = lines[CURRENCY].dropna().astype("str").str.strip().str.upper().value_counts()
    return {str(code): int(count) for code, count in counts.items()}


def currency_shares(counts: Mapping[str, int]) -> dict[str, float]:
    """What part of the lines names each currency, but for those that few name."""
    return shares({code: count for code, count in counts.items() if count >= FEWEST})


def ends(cells: Cells) -> tuple[Any, Any]:
    """The smallest and the largest value of a column."""
    found: Any = pc.min_max(cells)
    return found.as_py()["min"], found.as_py()["max"]


def _range(cells: Cells) -> Range:
    smallest, largest = ends(cells)
    numbers = cells.drop_null().to_numpy()
    some = numbers[:: max(1, len(numbers) // LOOKED_AT)]
    lower, middle, upper = np.quantile(some, QUANTILES)
    return Range(*map(float, (smallest, lower, middle, upper, largest)))


def _shares(cells: Cells) -> dict[str, float]:
    """The frequent values of a column, the most frequent first."""
    counted: Any = pc.value_counts(cells.drop_null())
    least = max(FEWEST, RAREST * len(cells))
    frequent = [one for one in counted.to_pylist() if one["counts"] >= least]
    frequent.sort(key=lambda one: (-one["counts"], one["values"]))
    return {str(one["values"]): round(one["counts"] / len(cells), 4) for one in frequent}
