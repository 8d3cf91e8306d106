"""The warehouse: Parquet tables of what the shop recorded, read by DuckDB through Ibis.

Only ingest writes here and only the gate reads a customer's rows from here. A product's own facts
are nobody's data and open to all. A generation holds a table in one part or in several
(`features.warehouse.parts`), so that a day's load writes those alone that it touches.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, time, timedelta
from functools import cached_property
from pathlib import Path
from threading import RLock

import ibis
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock, Timeout

from features.errors import WorkspaceError
from features.private_file import replace_text, sync
from features.tables.declared import products, transactions
from features.tables.table import CUSTOMER, RECORDED_AT
from features.warehouse.own_rows import Arrived, OwnRows, Programs
from features.warehouse.part_files import PartFiles, in_order
from features.warehouse.parts import (
    HALF,
    NOTES,
    Generation,
    by_table,
    every_part,
    has_customers,
    link_all,
    rows_of,
    shown,
    table_of,
    write_part,
    write_table,
)
from features.warehouse.pauses import usual_pause
from features.warehouse.statement import Statement

MEMORY_LIMIT = "1GB"
WAIT_SECONDS = 60.0
ASKED = "asked"
MOST_STATEMENTS = 500
Notes = Callable[[Path], None]
"""Writes what a load notes for the next one into a folder of the new generation."""
ARRIVALS = "arrivals"
"""File of a generation that says how far it holds what was sent over HTTP."""


class Warehouse:
    """Tables in `folder`; the file `current` there names the generation in use, so that a refresh
    is one rename.

    Of all threads and processes one changes them at a time. Whoever also writes to the database
    takes the warehouse first (`alone`).
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._tables: dict[tuple[Path, ...], ibis.Table] = {}
        self._statements: dict[Hashable, Statement] = {}
        self._programs: tuple[str, Programs] = ("", Programs())
        self._parts = PartFiles()
        self._loaded = ("", 0)
        self._listed: tuple[str, Mapping[str, list[Path]]] = ("", {})
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
        files = tuple(self.files(name))
        with self._one_at_a_time:
            if files not in self._tables:
                read = self.connection.read_parquet([str(file) for file in files])
                self._tables[files] = read.select(shown(read.columns))
            return self._tables[files]

    def files(self, name: str) -> list[Path]:
        """The parts of a table in the generation in use, in the order of its rows; none where no
        source filled it.
        """
        return self._files.get(name, [])

    @property
    def names(self) -> frozenset[str]:
        """The tables that there are."""
        return frozenset(self._files)

    @property
    def _files(self) -> Mapping[str, list[Path]]:
        """The parts of all tables in the generation in use."""
        generation = self.generation
        if self._listed[0] != generation:
            self._listed = (generation, by_table(self.folder / generation))
        return self._listed[1]

    @property
    def notes(self) -> Path:
        """Folder of what the last load noted for the next one."""
        return self.folder / self.generation / NOTES

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

    def _in_use(self) -> Generation:
        files = self._files
        return Generation(self.folder / self._listed[0], files, self._parts, self.query)

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

    def _statement(self, made: Callable[[ibis.Table], ibis.Table], columns: pa.Schema) -> Statement:
        if len(self._statements) >= MOST_STATEMENTS:
            self._statements.clear()
        table = made(ibis.table(ibis.Schema.from_pyarrow(columns), name=ASKED))
        return Statement(self.connection.compile(table), table.schema())

    def has(self, name: str) -> bool:
        """Whether a source filled that table."""
        return bool(self.files(name))

    def products(self) -> pd.DataFrame:
        """Product facts: product_id, title, product_category, brand (str; None where unknown)."""
        parts = [pq.read_table(file) for file in self.files(products.NAME)]
        frame: pd.DataFrame = pa.concat_tables(parts).to_pandas()
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
        last = self._parts.newest(self.files(transactions.NAME), RECORDED_AT)
        if last is None:
            raise WorkspaceError(
                "the warehouse holds no order any more; load newer ones with `sayso ingest`"
            )
        midnight = datetime.combine(last, time())
        return midnight + timedelta(days=1)

    def usual_pause(self) -> timedelta:
        """How long the shop usually goes without an order."""
        lines = self.table(transactions.NAME)
        days = lines.select(day=lines[transactions.ORDERED_AT].date()).distinct()
        known = pd.to_datetime(self.collect(days)["day"]).dropna()
        return usual_pause(sorted(known.dt.date))

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

    def replace(
        self, tables: Mapping[str, pa.Table], notes: Notes | None = None, arrivals_until: int = 0
    ) -> None:
        """Put `tables` in place of all that was here; until the last rename readers see what
        was.

        Of the rows sent over HTTP they hold those up to the number `arrivals_until`.
        """

        def write(folder: Path) -> None:
            for name, table in tables.items():
                write_table(table, folder, name)

        self._renew(write, notes, arrivals_until)

    def renew(
        self, parts: Mapping[str, pa.Table | None], notes: Notes, arrivals_until: int = 0
    ) -> None:
        """Put `parts`, by the names of their files, in place of those of these names, or beside
        the others where there is none; None takes one away. All other parts stay.

        Until the last rename readers see what was. Of the rows sent over HTTP the tables hold those
        up to the number `arrivals_until`.
        """
        before = self.folder / self.generation

        def write(folder: Path) -> None:
            link_all(before, folder, parts)
            for name, table in parts.items():
                if table is not None:
                    write_part(in_order(table), folder / name)

        self._renew(write, notes, arrivals_until)

    def _renew(
        self, write: Callable[[Path], None], notes: Notes | None, arrivals_until: int
    ) -> None:
        with self.alone():
            before = self.folder / self.generation if self.filled else None
            generation = uuid.uuid4().hex
            new, half = self.folder / generation, self.folder / f"{generation}{HALF}"
            half.mkdir()
            try:
                write(half)
                if notes is not None:
                    (half / NOTES).mkdir(exist_ok=True)
                    notes(half / NOTES)
                    sync(half / NOTES)
                replace_text(half / ARRIVALS, str(arrivals_until))
                half.rename(new)
                replace_text(self.folder / "current", generation)
            except BaseException:
                for made in (half, new):
                    shutil.rmtree(made, ignore_errors=True)
                raise
            for old in self.folder.iterdir():
                # Who began to read the one before may finish.
                if old.is_dir() and old not in (new, before):
                    shutil.rmtree(old)

    def rewrite(
        self, change: Callable[[str, pa.Table], pa.Table], *, forget_notes: bool = False
    ) -> None:
        """Replace every table by what `change` (of its name and rows) makes of it, in all
        generations that are still there.

        Each file is replaced whole; who has begun to read the old one may finish. What is replaced
        is on disk once this returns. With `forget_notes`, what loads noted goes as a whole, and the
        next one reads everything.
        """
        with self.alone():
            self._clear_halves()
            for notes in self.folder.glob(f"*/{NOTES}") if forget_notes else ():
                shutil.rmtree(notes)
            for file in every_part(self.folder):
                rows = pq.read_table(file)
                if (changed := change(table_of(file), rows)) is not rows:
                    partial = file.with_suffix(HALF)
                    try:
                        write_part(changed, partial)
                        os.replace(partial, file)
                    except BaseException:
                        partial.unlink(missing_ok=True)
                        raise
                    sync(file.parent)

    def _clear_halves(self) -> None:
        for half in self.folder.glob(f"*{HALF}"):
            shutil.rmtree(half)
        for half in self.folder.glob(f"*/**/*{HALF}"):
            half.unlink()

    def rows_of(self, customer: int) -> dict[str, pa.Table]:
        """Everything held of one customer, by table: for the customer's own rights, and for nothing
        else.
        """
        found = {}
        for name, files in by_table(self.folder / self.generation).items():
            if has_customers(files[0]):
                held = pa.concat_tables([rows_of(file, customer) for file in files])
                found[name] = held.select(shown(held.column_names))
        return found

    def count(self, customer: int) -> int:
        """How many rows of a customer there are, in all generations."""
        files = [file for file in every_part(self.folder) if has_customers(file)]
        return sum(rows_of(file, customer, [CUSTOMER]).num_rows for file in files)
