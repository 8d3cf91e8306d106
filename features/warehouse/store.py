"""The warehouse: Parquet tables of what the shop recorded, read by DuckDB through Ibis.

Only ingest writes here and only the gate reads a customer's rows from here. A product's own facts
are nobody's data and open to all.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from functools import cached_property
from pathlib import Path
from threading import RLock

import ibis
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock, Timeout
from ibis.formats.pandas import PandasData

from features.errors import WorkspaceError
from features.private_file import replace_text, sync
from features.tables.declared import products, transactions
from features.tables.table import CUSTOMER, RECORDED_AT
from features.warehouse.own_rows import Arrived, OwnRows, Programs
from features.warehouse.part_files import PartFiles, in_order, rows_of_a_part

MEMORY_LIMIT = "1GB"
WAIT_SECONDS = 60.0
ASKED = "asked"
MOST_STATEMENTS = 500
ARRIVALS = "arrivals"
"""File of a generation that says how far it holds what was sent over HTTP."""
HALF = ".partial"
"""What names end with whose content is not all there yet; found where a process was killed, and
cleared away by the next change.
"""


class Warehouse:
    """Tables in `folder`; the file `current` there names the generation in use, so that a refresh
    is one rename.

    Of all threads and processes one changes them at a time. Whoever also writes to the database
    takes the warehouse first (`alone`).
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._tables: dict[Path, ibis.Table] = {}
        self._statements: dict[Hashable, _Statement] = {}
        self._programs: tuple[str, Programs] = ("", Programs())
        self._parts = PartFiles()
        self._loaded = ("", 0)
        self._one_at_a_time = RLock()  # a connection to DuckDB serves one thread at a time
        self._lock = FileLock(folder / "lock", timeout=WAIT_SECONDS)

    @cached_property
    def connection(self) -> ibis.backends.duckdb.Backend:
        """DuckDB in memory; it fetches no extension from anywhere, and draws no progress bar on
        stdout, where results go.
        """
        made = ibis.duckdb.connect(
            memory_limit=MEMORY_LIMIT,
            autoinstall_known_extensions=False,
            autoload_known_extensions=False,
            preserve_insertion_order=False,
        )
        made.raw_sql("SET enable_progress_bar = false")
        return made

    @property
    def filled(self) -> bool:
        """Whether anything was ingested yet."""
        return (self.folder / "current").is_file()

    @property
    def generation(self) -> str:
        """Name of the generation in use. Raises `WorkspaceError` where nothing was ingested yet."""
        try:
            return (self.folder / "current").read_text(encoding="ascii")
        except FileNotFoundError:
            raise WorkspaceError(
                "the warehouse is empty; load the sources with `sayso ingest` first"
            ) from None

    def table(self, name: str) -> ibis.Table:
        """A whole table, consented or not: for the gate alone."""
        file = self._file(name)
        with self._one_at_a_time:
            if file not in self._tables:
                self._tables[file] = self.connection.read_parquet(str(file))
            return self._tables[file]

    def collect(self, table: ibis.Table) -> pd.DataFrame:
        """The rows of an expression.

        What it brought along in memory is let go; Ibis would keep that until the process ends.
        """
        with self._one_at_a_time:
            frame: pd.DataFrame = self.connection.to_pandas(table)
            for brought in table.op().find(ibis.expr.operations.InMemoryTable):
                self.connection.con.unregister(brought.name)
            return frame

    def collect_made(
        self, key: Hashable, made: Callable[[ibis.Table], ibis.Table], asked: pd.DataFrame
    ) -> pd.DataFrame:
        """The rows of what `made` makes of the table `asked`.

        The SQL is made once by `key`, which stands for `made`, and by the columns of `asked`.
        """
        rows = pa.Table.from_pandas(asked, preserve_index=False)
        with self._one_at_a_time:
            whole = (self.generation, rows.schema.remove_metadata(), key)
            if whole not in self._statements:
                self._statements[whole] = self._statement(made, rows.schema)
            statement, raw = self._statements[whole], self.connection.con
            raw.register(ASKED, rows)
            try:
                found = raw.execute(statement.sql).to_arrow_table()
            finally:
                raw.unregister(ASKED)
        return statement.frame(found)

    def own(self, customer: int, arrived: Arrived) -> OwnRows:
        """One customer's rows, and those that `arrived` since these were loaded, consented or not:
        for the gate alone.
        """
        generation = self._in_use()
        if self._programs[0] != generation.folder.name:
            self._programs = (generation.folder.name, Programs())
        return OwnRows(generation, customer, self._programs[1], arrived)

    def _in_use(self) -> _Generation:
        return _Generation(self.folder / self.generation, self._parts, self.query)

    def query(self, sql: str, tables: Mapping[str, pa.Table]) -> pa.Table:
        """What DuckDB makes of `tables`, which are no more of this warehouse's than they say."""
        with self._one_at_a_time:
            raw = self.connection.con
            for name, rows in tables.items():
                raw.register(name, rows)
            try:
                found: pa.Table = raw.execute(sql).to_arrow_table()
            finally:
                for name in tables:
                    raw.unregister(name)
        return found

    def _statement(
        self, made: Callable[[ibis.Table], ibis.Table], columns: pa.Schema
    ) -> _Statement:
        if len(self._statements) >= MOST_STATEMENTS:
            self._statements.clear()
        table = made(ibis.table(ibis.Schema.from_pyarrow(columns), name=ASKED))
        return _Statement(self.connection.compile(table), table.schema())

    def has(self, name: str) -> bool:
        """Whether a source filled that table."""
        return self._file(name).is_file()

    def products(self) -> pd.DataFrame:
        """Product facts: product_id, title, product_category, brand (str; None where unknown)."""
        frame: pd.DataFrame = pq.read_table(self._file(products.NAME)).to_pandas()
        return frame

    def who_ordered(self) -> pd.Index:
        """Everybody who has an order here (pseudonyms, int64), to hold ids against and for nothing
        else.
        """
        found = self.collect(self.table(transactions.NAME).select(CUSTOMER).distinct())
        customers: pd.Index = pd.Index(found[CUSTOMER])
        return customers

    def loaded_until(self) -> datetime:
        """The moment (naive UTC) that the warehouse speaks for: the midnight after its last
        recorded row.

        Raises `WorkspaceError` where no order is left.
        """
        last = self._parts.newest(self._in_use().files(transactions.NAME), RECORDED_AT)
        if last is None:
            raise WorkspaceError(
                "the warehouse holds no order any more; load newer ones with `sayso ingest`"
            )
        midnight = datetime.combine(last, time())
        return midnight + timedelta(days=1)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Meanwhile nobody else changes the tables.

        Raises `WorkspaceError` where somebody else does for longer than `WAIT_SECONDS`.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            self._lock.acquire()
        except Timeout:
            raise WorkspaceError(
                "the warehouse is being changed, by `sayso ingest` for example; try again when that"
                " is done"
            ) from None
        try:
            yield
        finally:
            self._lock.release()

    @property
    def loaded(self) -> tuple[str, int]:
        """The generation in use, and the number of the newest row sent over HTTP that it holds; 0
        for none.
        """
        generation = self.generation
        if self._loaded[0] != generation:
            try:
                said = (self.folder / generation / ARRIVALS).read_text(encoding="ascii")
            except FileNotFoundError:
                said = "0"
            self._loaded = (generation, int(said))
        return self._loaded

    def replace(self, tables: Mapping[str, pa.Table], arrivals_until: int = 0) -> None:
        """Put `tables` in place of all that was here; until the last rename readers see what
        was.

        Of the rows sent over HTTP they hold those up to the number `arrivals_until`.
        """
        with self.alone():
            before = self.folder / self.generation if self.filled else None
            generation = uuid.uuid4().hex
            new, half = self.folder / generation, self.folder / f"{generation}{HALF}"
            half.mkdir()
            try:
                for name, table in tables.items():
                    _write(table, half / f"{name}.parquet")
                replace_text(half / ARRIVALS, str(arrivals_until))
                half.rename(new)
                replace_text(self.folder / "current", generation)
            except BaseException:
                for made in (half, new):
                    shutil.rmtree(made, ignore_errors=True)
                raise
            for old in self.folder.iterdir():
                # Who began to read the one before may finish.
                if old.is_dir() and old not in (
                    new,
                    before,
                ):
                    shutil.rmtree(old)

    def rewrite(self, change: Callable[[str, pa.Table], pa.Table]) -> None:
        """Replace every table by what `change` (of its name and rows) makes of it, in all
        generations that are still there.

        Each file is replaced whole; who has begun to read the old one may finish. What is replaced
        is on disk once this returns.
        """
        with self.alone():
            self._clear_halves()
            for file in sorted(self.folder.glob("*/*.parquet")):
                rows = pq.read_table(file)
                if (changed := change(file.stem, rows)) is not rows:
                    partial = file.with_suffix(HALF)
                    try:
                        _write(changed, partial)
                        os.replace(partial, file)
                    except BaseException:
                        partial.unlink(missing_ok=True)
                        raise
                    sync(file.parent)

    def _clear_halves(self) -> None:
        for half in self.folder.glob(f"*{HALF}"):
            shutil.rmtree(half)
        for half in self.folder.glob(f"*/*{HALF}"):
            half.unlink()

    def rows_of(self, customer: int) -> dict[str, pa.Table]:
        """Everything held of one customer, by table: for the customer's own rights, and for nothing
        else.
        """
        return {
            file.stem: pq.read_table(file, filters=[(CUSTOMER, "==", customer)])
            for file in self._files_with_customers()
        }

    def count(self, customer: int) -> int:
        """How many rows of a customer there are, in all generations."""
        files = [
            file
            for file in self.folder.glob("*/*.parquet")
            if CUSTOMER in pq.read_schema(file).names
        ]
        return sum(
            pq.read_table(file, columns=[CUSTOMER], filters=[(CUSTOMER, "==", customer)]).num_rows
            for file in files
        )

    def _files_with_customers(self) -> list[Path]:
        files = sorted((self.folder / self.generation).glob("*.parquet"))
        return [file for file in files if CUSTOMER in pq.read_schema(file).names]

    def _file(self, name: str) -> Path:
        return self.folder / self.generation / f"{name}.parquet"


@dataclass(frozen=True)
class _Statement:
    """The SQL of an expression, and the columns of what it gives."""

    sql: str
    columns: ibis.Schema

    def frame(self, found: pa.Table) -> pd.DataFrame:
        """The rows `found`, as Ibis gives those of an expression."""
        frame = pd.DataFrame(
            {
                name: column.to_pylist() if column.null_count else column.to_pandas()
                for name, column in zip(found.column_names, found.columns, strict=True)
            }
        )
        converted: pd.DataFrame = PandasData.convert_table(frame, self.columns)
        return converted


@dataclass(frozen=True)
class _Generation:
    """The tables of one generation, whichever is in use meanwhile."""

    folder: Path
    parts: PartFiles
    query: Callable[[str, Mapping[str, pa.Table]], pa.Table]
    """What DuckDB makes of tables."""

    def files(self, table: str) -> list[Path]:
        """The files that a table consists of."""
        return [self.folder / f"{table}.parquet"]

    def schema(self, name: str) -> pa.Schema:
        """The columns of a table."""
        return self.parts.schema(self.files(name))

    def rows(self, name: str, customer: int, columns: Collection[str]) -> pa.Table:
        """A customer's rows of a table."""
        return self.parts.rows_of(self.files(name), customer, columns)

    def has(self, name: str) -> bool:
        """Whether a source filled that table."""
        return all(file.is_file() for file in self.files(name))


def _write(table: pa.Table, file: Path) -> None:
    rows = in_order(table)
    pq.write_table(
        rows,
        file,
        compression="zstd",
        coerce_timestamps="us",
        row_group_size=rows_of_a_part(rows),
    )
    sync(file)
