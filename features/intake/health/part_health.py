"""What one part of a table holds, as counts and ranges from which those of the whole table follow
exactly: nothing is read again that did not change.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from features.tables.table import RECORDED_AT, SOURCE, Kind, Table
from features.warehouse.parts import write_part

Cells: TypeAlias = "pa.ChunkedArray[Any]"
LOOKED_AT = 200_000
"""Numbers of a column whose quantiles are taken, evenly spread: more do not change them."""
NAME = "health.parquet"
SCHEMA = pa.schema(
    {
        "part": pa.string(),
        "stamp": pa.list_(pa.int64()),
        "rows": pa.int64(),
        "step": pa.int64(),
        "oldest": pa.timestamp("us"),
        "newest": pa.timestamp("us"),
        "days": pa.list_(pa.date32()),
        "column": pa.string(),
        "nulls": pa.int64(),
        "ends": pa.list_(pa.float64()),
        "numbers": pa.list_(pa.float64()),
        "values": pa.list_(pa.string()),
        "counts": pa.list_(pa.int64()),
    }
)


@dataclass(frozen=True)
class ColumnHealth:
    """A column of a part: its empty cells; of numbers the two `ends` and some of them, evenly
    spread; of texts how many rows have each.
    """

    nulls: int
    ends: tuple[float, float] | None = None
    numbers: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    counts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class PartHealth:
    """A part: by its file's number and moment of writing, its rows, of which numbers each `step`th
    is kept; when the oldest and the newest were recorded; the days on which something happened.
    """

    stamp: tuple[int, int]
    rows: int
    step: int
    oldest: datetime | None
    newest: datetime | None
    days: frozenset[date]
    columns: Mapping[str, ColumnHealth]

    def thinned(self, step: int) -> PartHealth:
        """The same with each `step`th number, a multiple of its own step."""
        if step == self.step:
            return self
        fewer = {
            name: replace(column, numbers=column.numbers[:: step // self.step])
            for name, column in self.columns.items()
        }
        return replace(self, step=step, columns=fewer)


def step_of(rows: int) -> int:
    """Of how many numbers of a table one is looked at: a power of two."""
    step = 1
    while rows // step > LOOKED_AT:
        step *= 2
    return step


def health_of(
    rows: pa.Table,
    table: Table,
    but: Collection[str],
    step: int,
    moment: str | None = None,
    stamp: tuple[int, int] = (0, 0),
) -> PartHealth:
    """What some rows of `table` hold; of the columns `but` no values are counted, and the days are
    those of the column `moment`.
    """
    recorded = rows[RECORDED_AT] if RECORDED_AT in rows.column_names else None
    oldest, newest = (None, None) if recorded is None else ends(recorded)
    days: Any = [] if moment is None else pc.unique(rows[moment].cast(pa.date32(), safe=False))
    kinds = {name: column.kind for name, column in table.by_name.items()}
    if SOURCE in rows.column_names:
        kinds[SOURCE] = Kind.TEXT
    columns = {
        name: _column(rows[name], kind, step, counted=f"{table.name}.{name}" not in but)
        for name, kind in kinds.items()
        if name in rows.column_names
    }
    found = frozenset(day for day in getattr(days, "to_pylist", list)() if day is not None)
    return PartHealth(stamp, rows.num_rows, step, oldest, newest, found, columns)


def ends(cells: Cells) -> tuple[Any, Any]:
    """The smallest and the largest value of a column."""
    found: Any = pc.min_max(cells)
    return found.as_py()["min"], found.as_py()["max"]


def _column(cells: Cells, kind: Kind, step: int, *, counted: bool) -> ColumnHealth:
    nulls = cells.null_count
    if kind.is_number and nulls < len(cells):
        numbers = cells.drop_null().to_numpy()[::step].astype(np.float64)
        smallest, largest = ends(cells)
        return ColumnHealth(nulls, (float(smallest), float(largest)), numbers)
    if kind is Kind.TEXT and counted:
        told: Any = pc.value_counts(cells.drop_null())
        counts = {str(one["values"]): int(one["counts"]) for one in told.to_pylist()}
        return ColumnHealth(nulls, counts=counts)
    return ColumnHealth(nulls)


@dataclass(frozen=True)
class KnownParts:
    """What is known of the parts of a warehouse, in its notes."""

    notes: Path

    def read(self) -> dict[str, PartHealth]:
        """Of each part, by the name of its file; nothing where it was not kept."""
        try:
            return _parts_in(pq.read_table(self.notes / NAME, schema=SCHEMA))
        except (OSError, pa.ArrowInvalid, KeyError):
            return {}

    def write(self, parts: Mapping[str, PartHealth]) -> None:
        """Keep it for the next load."""
        rows = [row for name, part in parts.items() for row in _rows_of(name, part)]
        columns = [
            pa.array([row[name] for row in rows], SCHEMA.field(name).type) for name in SCHEMA.names
        ]
        write_part(pa.table(columns, schema=SCHEMA), self.notes / NAME)


def _rows_of(name: str, part: PartHealth) -> Iterable[Mapping[str, Any]]:
    about = {"part": name, "stamp": part.stamp, "rows": part.rows, "step": part.step}
    about |= {"oldest": part.oldest, "newest": part.newest}
    days: list[date] = sorted(part.days)
    for column, held in part.columns.items():
        counts = {"values": [*held.counts], "counts": [*held.counts.values()]}
        told = {"column": column, "nulls": held.nulls, "ends": held.ends, "numbers": held.numbers}
        yield {**about, "days": days, **told, **counts}
        days = []


def _parts_in(table: pa.Table) -> dict[str, PartHealth]:
    numbers = _Lists(table["numbers"].combine_chunks())
    found: dict[str, PartHealth] = {}
    for at, row in enumerate(table.drop_columns(["numbers"]).to_pylist()):
        counts = dict(zip(row["values"], row["counts"], strict=True))
        told = None if row["ends"] is None else (row["ends"][0], row["ends"][1])
        column = {row["column"]: ColumnHealth(row["nulls"], told, numbers.at(at), counts)}
        known = found.get(row["part"])
        found[row["part"]] = (
            replace(known, columns={**known.columns, **column})
            if known is not None
            else PartHealth(
                (row["stamp"][0], row["stamp"][1]),
                row["rows"],
                row["step"],
                row["oldest"],
                row["newest"],
                frozenset(row["days"]),
                column,
            )
        )
    return found


@dataclass(frozen=True)
class _Lists:
    """Lists of numbers, without a Python object for each."""

    lists: Any

    def at(self, position: int) -> NDArray[np.float64]:
        """One of them."""
        begin, end = self._ends[position], self._ends[position + 1]
        found: NDArray[np.float64] = self._values[begin:end]
        return found

    @cached_property
    def _ends(self) -> NDArray[np.int64]:
        return np.asarray(self.lists.offsets.to_numpy(), dtype=np.int64)

    @cached_property
    def _values(self) -> NDArray[np.float64]:
        return np.asarray(self.lists.values.to_numpy(zero_copy_only=False), dtype=np.float64)
