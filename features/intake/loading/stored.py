"""The stored parts of a table of events, asked for what the next load and its report need."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from features.tables.declared import transactions
from features.tables.table import CUSTOMER, RECORDED_AT, SOURCE
from features.warehouse.own_rows import OVER_HTTP
from features.warehouse.part_files import PartFiles
from features.warehouse.store import MEMORY_LIMIT

FILE, ROW = "filename", "file_row_number"
"""Where a row stands: in which part, and at which position from 0."""
STORED = f"read_parquet(?, {FILE} = true, {ROW} = true)"
SOLD = "_sold"
"""Units of an order line as it was ordered, where fewer are left of it."""
MOST_STATED = 500
"""Values that a query states one by one."""
MICRO = 1_000_000
"""Sums of money are counted in whole millionths: they do not depend on the order of rows."""


@dataclass(frozen=True)
class PartFigures:
    """What the order lines of a part come to, by the number of its file and the moment at which it
    was written; money in millionths.
    """

    stamp: tuple[int, int]
    lines: int
    units: int
    gross: int
    net: int
    first: datetime | None
    last: datetime | None


class StoredRows:
    """Rows of a table in some parts."""

    def __init__(self, files: Sequence[Path]) -> None:
        self.files = tuple(files)
        self._names = [str(file) for file in files]

    @property
    def last_recorded(self) -> datetime | None:
        """When the newest row was recorded, by what the files say of themselves."""
        return PartFiles().newest(self.files, RECORDED_AT)

    @property
    def rows(self) -> int:
        """How many there are."""
        return sum(pq.read_metadata(file).num_rows for file in self.files)

    @property
    def filed(self) -> int:
        """How many are of files, and were not sent over HTTP."""
        query = f"SELECT count(*) FROM {self._table} WHERE {SOURCE} = '{OVER_HTTP}'"  # noqa: S608 - names of ours
        return self.rows - int(self._asked(query)[0][0])

    def of_customers(
        self, customers: Collection[int], columns: Sequence[str] = ("*",)
    ) -> pd.DataFrame:
        """The rows of some customers, in the order of the table, with where they stand."""
        wanted = pa.table({"wanted": pa.array(sorted(customers), pa.int64())})
        return self._found(CUSTOMER, "IN", wanted, columns)

    def sent(self) -> pd.DataFrame:
        """The rows that were sent over HTTP, with where they stand."""
        return self._found(SOURCE, "=", pa.table({"wanted": pa.array([OVER_HTTP])}))

    def first_recorded(self, customers: Collection[int]) -> pd.DataFrame:
        """When the first row of some customers was recorded, of those that files hold."""
        wanted = pa.table({"wanted": pa.array(sorted(customers), pa.int64())})
        query = f"""SELECT {CUSTOMER}, min({RECORDED_AT}) FROM {self._table} SEMI JOIN asked
            ON {CUSTOMER} = wanted WHERE {SOURCE} <> '{OVER_HTTP}' GROUP BY 1"""  # noqa: S608 - names of ours
        found = pd.DataFrame(self._asked(query, wanted), columns=[CUSTOMER, RECORDED_AT])
        return found.astype({CUSTOMER: "int64", RECORDED_AT: "datetime64[us]"})

    def rows_by_customer(self, customers: Collection[int]) -> dict[int, int]:
        """How many rows each of some customers has; those who have none are left out."""
        wanted = pa.table({"wanted": pa.array(sorted(customers), pa.int64())})
        found = self._found(CUSTOMER, "IN", wanted, [CUSTOMER])[CUSTOMER]
        return dict(Counter(found.tolist()))

    def customers(self) -> int:
        """How many customers have rows."""
        query = f"SELECT count(DISTINCT {CUSTOMER}) FROM {self._table}"  # noqa: S608 - names of ours
        return int(self._asked(query)[0][0])

    def before(self, moment: datetime) -> pd.DataFrame:
        """The rows that were recorded before a moment (naive UTC), with where they stand."""
        limit = pa.table({"wanted": pa.array([moment], pa.timestamp("us"))})
        return self._found(RECORDED_AT, "<", limit)

    def of_orders(self, orders: Collection[str]) -> pd.DataFrame:
        """The rows of some orders, with where they stand."""
        wanted = pa.table({"wanted": pa.array(sorted(orders), pa.string())})
        return self._found(transactions.ORDER_ID, "IN", wanted)

    def counts(self, column: str) -> dict[int, int]:
        """How many rows have each number of a column."""
        found = self._asked(f"SELECT {column}, count(*) FROM {self._table} GROUP BY 1")  # noqa: S608 - names of ours
        return {int(code): int(rows) for code, rows in found if code is not None}

    def orders(self) -> tuple[int, bool]:
        """How many order numbers there are, and whether any is of several customers."""
        order = transactions.ORDER_ID
        query = f"""SELECT count(*), count(*) FILTER (WHERE one <> other) FROM (
            SELECT min({CUSTOMER}) AS one, max({CUSTOMER}) AS other FROM {self._table}
            WHERE {order} IS NOT NULL GROUP BY {order})"""  # noqa: S608 - names of ours
        numbers, shared = self._asked(query)[0]
        return int(numbers), shared > 0

    def figures(self, known: Mapping[str, PartFigures]) -> dict[str, PartFigures]:
        """What the order lines of each part come to, by its file's name; those that are `known` are
        asked for again only where the part was written since.
        """
        stamps = {
            file: (about.st_ino, about.st_mtime_ns) for file in self.files if (about := file.stat())
        }
        found = {
            file.name: known[file.name]
            for file, stamp in stamps.items()
            if file.name in known and known[file.name].stamp == stamp
        }
        new = StoredRows([file for file in self.files if file.name not in found])
        for name, *told in new._asked(_FIGURES) if new.files else ():
            file = Path(name)
            lines, units, gross, net = (int(each or 0) for each in told[:4])
            found[file.name] = PartFigures(stamps[file], lines, units, gross, net, *told[4:])
        return {file.name: found[file.name] for file in self.files if file.name in found}

    @property
    def _table(self) -> str:
        return STORED

    def _found(
        self, column: str, holds: str, asked: pa.Table, columns: Sequence[str] = ("*",)
    ) -> pd.DataFrame:
        values, wanted = asked["wanted"].to_pylist(), "(SELECT wanted FROM asked)"
        stated = values if len(values) <= MOST_STATED else []
        if stated:  # with the values in the query, only pages that may hold them are read
            wanted = f"({', '.join('?' * len(stated))})"
        named = ", ".join(columns if "*" in columns else (*columns, FILE, ROW))
        query = f"SELECT {named} FROM {self._table} WHERE {column} {holds} {wanted}"  # noqa: S608 - names of ours
        with closing(_connection()) as connection:
            connection.register("asked", asked)
            found: pd.DataFrame = (
                connection.execute(query, [self._names, *stated]).to_arrow_table().to_pandas()
            )
        order = {name: position for position, name in enumerate(self._names)}
        found = found.assign(_part=found[FILE].map(order).astype("int64"))
        return found.sort_values(["_part", ROW], ignore_index=True).drop(columns="_part")

    def _asked(self, query: str, asked: pa.Table | None = None) -> list[tuple[Any, ...]]:
        with closing(_connection()) as connection:
            if asked is not None:
                connection.register("asked", asked)
            return connection.execute(query, [self._names]).fetchall()


def of_files(rows: pd.DataFrame) -> pd.DataFrame:
    """Stored rows but for those that were sent over HTTP."""
    return rows[rows[SOURCE] != OVER_HTTP]


def filed_rows(files: Mapping[str, Sequence[Path]], *, sent: bool) -> dict[str, int]:
    """How many rows of files there are in each table, where some were `sent` over HTTP or none."""
    found = {}
    for name, own in files.items():
        stored = StoredRows(own)
        has_sources = sent and SOURCE in pq.read_schema(own[0]).names
        found[name] = stored.filed if has_sources else stored.rows
    return found


_FIGURES = f"""SELECT {FILE}, count(*), sum({transactions.QUANTITY}),
    sum(CAST(round(coalesce({SOLD}, {transactions.QUANTITY})
        * {transactions.UNIT_PRICE} * {MICRO}) AS HUGEINT)),
    sum(CAST(round({transactions.AMOUNT} * {MICRO}) AS HUGEINT)),
    min({transactions.ORDERED_AT}), max({transactions.ORDERED_AT})
    FROM {STORED} GROUP BY 1"""  # noqa: S608 - names of ours


def _connection() -> duckdb.DuckDBPyConnection:
    """DuckDB in memory, which fetches nothing from anywhere."""
    settings = {"memory_limit": MEMORY_LIMIT, "autoinstall_known_extensions": "false"}
    made = duckdb.connect(config={**settings, "autoload_known_extensions": "false"})
    made.execute("SET enable_progress_bar = false")
    return made
