"""Figures of a load: counts, freshness, empty cells, ranges and shares. No id is among them, and no
value that fewer than `FEWEST` rows have.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import pandas as pd

from features.intake.health.part_health import ColumnHealth, PartHealth
from features.tables.declared.transactions import CURRENCY
from features.tables.table import SOURCE, Kind, Table

FEWEST = 20
"""A value that fewer rows have is told of nobody: it might be some person's."""
RAREST = 0.01
"""Share of the rows from which a value is worth a line of its own."""
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
    parts: Collection[PartHealth], table: Table, sensitive: AbstractSet[str]
) -> TableFigures:
    """The figures of a table by its `parts`; of the fields `sensitive` no shares are taken."""
    kinds = {**{name: column.kind for name, column in table.by_name.items()}, SOURCE: Kind.TEXT}
    found = TableFigures(sum(part.rows for part in parts))
    for name, kind in kinds.items():
        held = [part.columns[name] for part in parts if part.rows and name in part.columns]
        if not held:
            continue
        nulls = sum(column.nulls for column in held)
        found.empty[name] = round(nulls / found.rows, 4)
        if kind.is_number and nulls < found.rows:
            found.ranges[name] = _range(held)
        if kind is Kind.TEXT and f"{table.name}.{name}" not in sensitive:
            found.shares[name] = _shares(held, found.rows)
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


def _range(columns: Iterable[ColumnHealth]) -> Range:
    held = [column for column in columns if column.ends is not None]
    some = np.concatenate([column.numbers for column in held])
    lower, middle, upper = np.quantile(some, QUANTILES)
    both = [column.ends for column in held if column.ends is not None]
    least, most = min(low for low, _ in both), max(high for _, high in both)
    return Range(least, float(lower), float(middle), float(upper), most)


def _shares(columns: Iterable[ColumnHealth], rows: int) -> dict[str, float]:
    """The frequent values of a column, the most frequent first."""
    counted: Counter[str] = Counter()
    for column in columns:
        counted.update(column.counts)
    least = max(FEWEST, RAREST * rows)
    frequent = [(value, count) for value, count in counted.items() if count >= least]
    frequent.sort(key=lambda one: (-one[1], one[0]))
    return {value: round(count / rows, 4) for value, count in frequent}
