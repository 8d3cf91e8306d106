"""The files of a generation: a table is one Parquet file, `orders.parquet`, or a first part and
others after it, `orders.1.parquet`, in the order of its rows.

A column whose name begins with `_` is for the next load alone and shown to nobody.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from features.private_file import sync
from features.tables.table import CUSTOMER
from features.warehouse.part_files import PartFiles, order_of, rows_of_a_part

HALF = ".partial"
"""What names end with whose content is not all there yet; found where a process was killed, and
cleared away by the next change.
"""
NOTES = "notes"
"""Folder within a generation of what its load noted for the next one."""
HIDDEN = "_"
ENDING = ".parquet"
PART_ROWS = 1 << 17
"""Rows of a part: as few as a change of one of them may cost."""


def table_of(file: Path) -> str:
    """Name of the table that a file is a part of."""
    return file.name.partition(".")[0]


def part_name(table: str, number: int) -> str:
    """Name of the file of a table's part, from 0."""
    return f"{table}.{number}{ENDING}" if number else f"{table}{ENDING}"


def number_of(file: Path) -> int:
    """The number of a part, from 0."""
    _, _, rest = file.name.removesuffix(ENDING).partition(".")
    return int(rest or 0)


def by_table(generation: Path) -> dict[str, list[Path]]:
    """The parts of each table, in their order."""
    found: dict[str, list[Path]] = {}
    for file in sorted(
        generation.glob(f"*{ENDING}"), key=lambda file: (table_of(file), number_of(file))
    ):
        found.setdefault(table_of(file), []).append(file)
    return found


def every_part(warehouse: Path) -> list[Path]:
    """All parts of all generations, and what their loads noted."""
    return sorted([*warehouse.glob(f"*/*{ENDING}"), *warehouse.glob(f"*/{NOTES}/*{ENDING}")])


def has_customers(file: Path) -> bool:
    """Whether the rows of a part are of customers."""
    return CUSTOMER in pq.read_schema(file).names


def shown(columns: Sequence[str]) -> list[str]:
    """The columns that are not for the next load alone."""
    return [name for name in columns if not name.startswith(HIDDEN)]


def parts_of(table: pa.Table, name: str) -> Iterator[tuple[str, pa.Table]]:
    """The parts of a table, customer by customer, with the names of their files."""
    order = order_of(table) if CUSTOMER in table.column_names else None
    for number, begin in enumerate(range(0, max(table.num_rows, 1), PART_ROWS)):
        if order is None:
            rows = table.slice(begin, PART_ROWS)
        else:
            rows = table.take(order.slice(begin, PART_ROWS))
        yield part_name(name, number), rows


def write_table(table: pa.Table, folder: Path, name: str) -> None:
    """Write a table in parts."""
    for file, rows in parts_of(table, name):
        write_part(rows, folder / file)


def write_part(table: pa.Table, file: Path) -> None:
    """Write a file of Parquet; it is on disk once this returns.

    One that is there already may be another generation's too, and stays as it is there.
    """
    file.unlink(missing_ok=True)
    pq.write_table(
        table,
        file,
        compression="zstd",
        coerce_timestamps="us",
        row_group_size=rows_of_a_part(table),
    )
    sync(file)


def link_all(before: Path, new: Path, but: Collection[str]) -> None:
    """Put all files of a generation into another one, but for those of some names.

    They are the same files where the disk lets them be: none is ever changed in place.
    """
    for file in (*before.glob(f"*{ENDING}"), *before.glob(f"{NOTES}/*{ENDING}")):
        name = file.relative_to(before)
        if str(name) in but:
            continue
        (new / name).parent.mkdir(exist_ok=True)
        try:
            os.link(file, new / name)
        except OSError:
            shutil.copy2(file, new / name)


@dataclass(frozen=True)
class Generation:
    """The tables of one generation, whichever is in use meanwhile; `tables` are their files."""

    folder: Path
    tables: Mapping[str, list[Path]]
    parts: PartFiles
    query: Callable[[str, Mapping[str, pa.Table]], pa.Table]
    """What DuckDB makes of tables."""

    def schema(self, name: str) -> pa.Schema:
        """The columns of a table."""
        held = self.parts.schema(self.tables[name])
        return pa.schema([held.field(column) for column in shown(held.names)])

    def rows(self, name: str, customer: int, columns: Collection[str]) -> pa.Table:
        """A customer's rows of a table."""
        return self.parts.rows_of(self.tables[name], customer, columns)

    def has(self, name: str) -> bool:
        """Whether a source filled that table."""
        return name in self.tables


def rows_of(file: Path, customer: int, columns: list[str] | None = None) -> pa.Table:
    """A customer's rows in a part, of some `columns` or of all.

    The file is opened once: by its name pyarrow would open it several times, and an erasure may put
    another in its place meanwhile.
    """
    with file.open("rb") as opened:
        return pq.read_table(opened, columns=columns, filters=[(CUSTOMER, "==", customer)])
