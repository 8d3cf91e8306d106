"""Columns as arrays: what expressions over a few rows are computed with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.errors import SaysoError

Values = NDArray[Any]
Bools = NDArray[np.bool_]
Positions = NDArray[np.intp]


class NotOnArrays(SaysoError):
    """An expression has a part that arrays do not compute exactly as DuckDB does."""


@dataclass(frozen=True)
class Column:
    """Values of a column (rows,) and which of them are missing (None for none).

    `values` are int64, float64 or bool; without a dimension they are one value for all rows. A
    moment is its microseconds since 1970, a date its days. A text is its position in `words`, which
    are in order.
    """

    values: Values
    missing: Bools | None = None
    words: Values | None = None

    def take(self, rows: Positions | Bools) -> Column:
        """The rows of these positions, or where this is true."""
        if not self.values.ndim:
            return self
        missing = None if self.missing is None else self.missing[rows]
        return Column(self.values[rows], missing, self.words)

    def of_rows(self, count: int) -> Column:
        """The column with so many rows, where it is one value for all."""
        if self.values.ndim:
            return self
        missing = None if self.missing is None else np.broadcast_to(self.missing, count)
        return Column(np.broadcast_to(self.values, count), missing, self.words)

    def for_all(self, row: int) -> Column:
        """One of the values, for any number of rows."""
        missing = None if self.missing is None else np.asarray(self.missing[row])
        return Column(np.asarray(self.values[row]), missing, self.words)

    @property
    def there(self) -> Bools:
        """Where there is a value."""
        if self.missing is None:
            return np.ones(self.values.shape, dtype=np.bool_)
        return ~self.missing

    def floats(self) -> NDArray[np.float64]:
        """The values as float64 (rows,), `NaN` where there is none."""
        found = self.values.astype(np.float64)
        if self.missing is not None:
            found[self.missing] = np.nan
        return found

    def texts(self) -> list[str | None]:
        """The values of a column of texts."""
        words = [] if self.words is None else self.words.tolist()
        gone = self.missing if self.missing is not None else np.zeros(len(self.values), np.bool_)
        return [
            None if none else words[at]
            for at, none in zip(self.values.tolist(), gone.tolist(), strict=True)
        ]


@dataclass(frozen=True)
class Rows:
    """The columns of a table by name, each with `count` rows."""

    count: int
    columns: Mapping[str, Column]

    def take(self, rows: Positions | Bools) -> Rows:
        """The rows of these positions, or where this is true."""
        taken = {name: column.take(rows) for name, column in self.columns.items()}
        count = np.count_nonzero(rows) if rows.dtype == np.bool_ else len(rows)
        return Rows(int(count), taken)

    def whole(self) -> Rows:
        """The same with a value for each row."""
        columns = {name: column.of_rows(self.count) for name, column in self.columns.items()}
        return Rows(self.count, columns)


def rows_of(table: pa.Table) -> Rows:
    """The rows of an Arrow table. Raises `NotOnArrays` for a type that no warehouse has."""
    found = {
        name: _column(held) for name, held in zip(table.column_names, table.columns, strict=True)
    }
    return Rows(table.num_rows, found)


def _column(held: pa.ChunkedArray[Any]) -> Column:
    missing = np.asarray(held.is_null()) if held.null_count else None
    kind = held.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return text_column(held)
    if pa.types.is_timestamp(kind):
        held = held.cast(pa.timestamp("us", kind.tz)).cast(pa.int64())
    elif not (pa.types.is_int64(kind) or pa.types.is_float64(kind) or pa.types.is_boolean(kind)):
        raise NotOnArrays(f"a column of the type {kind}")
    filled = held if missing is None else held.fill_null(pa.scalar(0).cast(held.type))
    return Column(filled.to_numpy(), missing)


def text_column(held: pa.ChunkedArray[Any]) -> Column:
    """A column of texts from Arrow's."""
    encoded = held.combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    words = np.array(encoded.dictionary.to_pylist(), dtype=object)
    order = np.array(sorted(range(len(words)), key=words.__getitem__), dtype=np.int64)
    position = np.empty_like(order)
    position[order] = np.arange(len(order))
    missing = np.asarray(encoded.is_null()) if encoded.null_count else None
    codes = np.asarray(encoded.indices.fill_null(0), dtype=np.int64)
    values = position[codes] if len(words) else np.zeros(len(codes), np.int64)
    return Column(values, missing, words[order])


def moment(when: datetime) -> int:
    """Microseconds since 1970 of a moment in naive UTC."""
    return int(np.datetime64(when, "us").astype(np.int64))
