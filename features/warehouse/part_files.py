"""The Parquet files of a table, read for one customer at a time: of each file only the parts that
may hold a row of theirs.

Tables are written in the order of their customers and in small parts, whose smallest and largest
customer the file states. So one customer's rows are found in a millisecond, however many there are.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from features.tables.table import CUSTOMER, RECORDED_AT

FEWEST_ROWS, MOST_ROWS = 2_048, 16_384
"""Rows of a part."""
PARTS = 512
"""About how many parts a large table has before they get longer."""
AT_ONCE = 65_536
"""Rows that are read at once of a part that is longer, as files of before have them."""
Stamp = tuple[int, int, int]


def in_order(table: pa.Table) -> pa.Table:
    """The rows customer by customer, each one's by the time of recording."""
    if CUSTOMER not in table.column_names:
        return table
    return table.take(order_of(table))


def order_of(table: pa.Table) -> pa.Array[Any]:
    """The positions of the rows customer by customer, each one's by the time of recording."""
    names = [name for name in (CUSTOMER, RECORDED_AT) if name in table.column_names]
    order: pa.Array[Any] = pc.sort_indices(table, [(name, "ascending") for name in names])
    return order


def rows_of_a_part(table: pa.Table) -> int:
    """How many rows each part of its file gets."""
    return min(max(table.num_rows // PARTS, FEWEST_ROWS), MOST_ROWS)


@dataclass(frozen=True)
class _Known:
    """What a file says of itself, and the smallest and largest customer of each of its parts; None
    where it does not say.
    """

    stamp: Stamp
    about: pq.FileMetaData
    schema: pa.Schema
    bounds: tuple[NDArray[np.int64], NDArray[np.int64]] | None

    def parts_with(self, customer: int) -> list[int]:
        """The parts that may hold a row of a customer."""
        if self.bounds is None:
            return list(range(self.about.num_row_groups))
        first, last = self.bounds
        return np.flatnonzero((first <= customer) & (customer <= last)).tolist()

    @cached_property
    def sizes(self) -> NDArray[np.int64]:
        """How many rows each part has."""
        parts = range(self.about.num_row_groups)
        return np.array([self.about.row_group(part).num_rows for part in parts], dtype=np.int64)

    @cached_property
    def _newest(self) -> dict[str, datetime | None]:
        return {}

    def newest(self, column: str) -> datetime | None:
        """The largest time in a column; None where no part states one."""
        if column not in self._newest:
            parts = _statistics(self.about, column)
            known = (part for part in parts if part is not None and part.has_min_max)
            times = [cast("datetime", part.max) for part in known]
            self._newest[column] = max(times, default=None)
        return self._newest[column]


class PartFiles:
    """Reads files that may be replaced at any time; what they say of themselves is kept, and never
    their content.
    """

    def __init__(self) -> None:
        self._known: dict[Path, _Known] = {}

    def schema(self, files: Sequence[Path]) -> pa.Schema:
        """The columns of a table."""
        return self._about(files[0]).schema

    def newest(self, files: Sequence[Path], column: str) -> datetime | None:
        """The largest time in a column, by what the files say of their parts; None where there is
        none.
        """
        times = [self._about(file).newest(column) for file in files]
        return max((time for time in times if time is not None), default=None)

    def rows_of(self, files: Sequence[Path], customer: int, columns: Collection[str]) -> pa.Table:
        """A customer's rows of all `files`: these columns, and whose they are."""
        schema = self.schema(files)
        wanted = [name for name in schema.names if name in columns or name == CUSTOMER]
        parts = [rows for file in files for rows in self._read(file, customer, wanted)]
        if not parts:
            return pa.schema([schema.field(name) for name in wanted]).empty_table()
        return parts[0] if len(parts) == 1 else pa.concat_tables(parts)

    def _read(self, file: Path, customer: int, columns: list[str]) -> Iterator[pa.Table]:
        known = self._about(file)
        parts = known.parts_with(customer)
        if not parts:
            return
        with pq.ParquetFile(file, metadata=known.about, memory_map=True) as opened:
            if known.sizes[parts].sum() <= AT_ONCE:
                yield _of(opened.read_row_groups(parts, columns, use_threads=False), customer)
                return
            batches = opened.iter_batches(AT_ONCE, parts, columns, use_threads=False)
            for batch in batches:
                yield _of(pa.Table.from_batches([batch]), customer)

    def _about(self, file: Path) -> _Known:
        found = file.stat()
        stamp = (found.st_mtime_ns, found.st_ino, found.st_size)
        known = self._known.get(file)
        if known is None or known.stamp != stamp:
            about = pq.read_metadata(file)
            known = self._known[file] = _Known(
                stamp, about, about.schema.to_arrow_schema().remove_metadata(), _bounds(about)
            )
        return known


def _of(rows: pa.Table, customer: int) -> pa.Table:
    return rows.filter(pc.equal(rows[CUSTOMER], pa.scalar(customer, pa.int64())))


def _bounds(about: pq.FileMetaData) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
    if CUSTOMER not in about.schema.names:
        return None
    told = [part for part in _statistics(about, CUSTOMER) if part is not None and part.has_min_max]
    if len(told) < about.num_row_groups:
        return None
    return (
        np.array([said.min for said in told], dtype=np.int64),
        np.array([said.max for said in told], dtype=np.int64),
    )


def _statistics(about: pq.FileMetaData, column: str) -> list[pq.Statistics | None]:
    at = about.schema.names.index(column)
    return [about.row_group(part).column(at).statistics for part in range(about.num_row_groups)]
