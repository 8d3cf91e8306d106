"""What was sent over HTTP in a day's load: it is set against the rows of files anew, and of what is
stored those rows go and come that differ.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from features.catalog import Catalog
from features.intake.loading.day.events import DayEvents
from features.intake.loading.stored import FILE, ROW, StoredRows, of_files
from features.intake.over_http.folding import Sent, newest_states
from features.intake.reading.source_files import ReadAnew
from features.intake.warehouse_tables import events_table
from features.tables.declared import transactions
from features.tables.declared.transactions import ORDER_ID
from features.tables.table import CUSTOMER, SOURCE, States, Table
from features.warehouse.arrow import arrow_table, schema_of
from features.warehouse.retention import without_expired
from features.warehouse.store import Warehouse

Right = Callable[[Mapping[str, pa.Table]], dict[str, pa.Table]]
"""Puts tables right that were made anew."""


class DaySent:
    """What was `sent`, of which `before` rows were in the warehouse, up to a number.

    Customers whose data was put right (`corrected`) keep what is stored of them. Raises `ReadAnew`
    where more of one of them was sent since.
    """

    def __init__(
        self,
        sent: Sent,
        before: int,
        warehouse: Warehouse,
        catalog: Catalog,
        corrected: frozenset[int],
        right: Right,
        now: datetime,
    ) -> None:
        self.sent = sent
        self.any = bool(before or sent.came)
        self.news = sent.until != warehouse.loaded[1] or len(sent.came) != before
        self._warehouse = warehouse
        self._catalog = catalog
        self._corrected = corrected
        self.right = right
        self._now = now
        if corrected & sent.customers_since(warehouse.loaded[1]):
            raise ReadAnew("rows were sent of a customer whose data was put right")

    def fold(self, day: DayEvents) -> None:
        """Find which rows of a table of events go and come beside its `day`.

        Raises `ReadAnew` where an order that was sent as a whole stands in place of one in a file.
        """
        if not self.any:
            return
        stored = StoredRows(self._warehouse.files(day.table.name))
        here = self._but_corrected(stored.sent())
        held = self._held(day, stored)
        left, more = self.sent.beside(held, day.table)
        if left.num_rows < held.num_rows:
            raise ReadAnew("an order of a file was sent as a whole since")
        gone, new = unmatched(here, self._kept(more, day.table), day.table)
        day.sent_gone, day.sent_new = here.iloc[gone], new
        day.sent_orders = frozenset(here[ORDER_ID].dropna()) if ORDER_ID in here else frozenset()
        whose = {*day.sent_gone[CUSTOMER].tolist(), *new[CUSTOMER].to_pylist()} - day.known.keys()
        day.known |= stored.rows_by_customer(whose)

    def states(self, table: States) -> tuple[pd.DataFrame, frozenset[int]]:
        """The states that came, and of whom they are others than those stored."""
        more = self._kept(self.sent.rows(table), table).to_pandas()
        came = newest_states(more)
        here = self._but_corrected(StoredRows(self._warehouse.files(table.name)).sent())
        gone, new = unmatched(here, arrow_table(came, table), table)
        whose = {*here.iloc[gone][CUSTOMER].tolist(), *new[CUSTOMER].to_pylist()}
        return came, frozenset(int(one) for one in whose)

    def _held(self, day: DayEvents, stored: StoredRows) -> pa.Table:
        """Rows of files by now, of those of whom anything came: what tells them apart."""
        table, whose = day.table, self.sent.customers(day.table)
        told = [column.name for column in table.columns if column.tells_apart]
        columns = [CUSTOMER, *([ORDER_ID] if table.name == transactions.NAME else told)]
        here = without(of_files(stored.of_customers(whose, [*columns, SOURCE])), day.edits.gone)
        kinds = [field for field in schema_of(table) if field.name in columns]
        schema = pa.schema(sorted(kinds, key=lambda field: columns.index(field.name)))
        rows = pa.Table.from_pandas(here[columns], schema, preserve_index=False)
        if day.new.empty:
            return rows.replace_schema_metadata(None)
        new = events_table(day.new, table).select(columns).cast(schema)
        return pa.concat_tables([rows.replace_schema_metadata(None), new])

    def _kept(self, more: pa.Table, table: Table) -> pa.Table:
        """Rows that came, within their retention, but for those of who was put right."""
        kept = without_expired(table.name, more, self._catalog, self._now)[0]
        right = pa.array(sorted(self._corrected), pa.int64())
        return kept.filter(pc.invert(pc.is_in(kept[CUSTOMER], right))) if len(right) else kept

    def _but_corrected(self, rows: pd.DataFrame) -> pd.DataFrame:
        return rows[~rows[CUSTOMER].isin(list(self._corrected))]

    def without_files(self, filled: Sequence[Table]) -> dict[str, pa.Table]:
        """The tables of which no source states a column, made of what came alone. Raises
        `ReadAnew` where nothing is left of one.
        """
        names = {table.name for table in filled}
        came = self.sent.names - names
        if self._warehouse.names - names - came:
            raise ReadAnew("nothing is left of what was sent of a table")
        made = {
            name: without_expired(name, self.sent.table(name, None), self._catalog, self._now)[0]
            for name in came
        }
        return self.right(made)


def unmatched(here: pd.DataFrame, more: pa.Table, table: Table) -> tuple[list[int], pa.Table]:
    """The positions of rows in `here` that are not in `more`, each as often as it stands there, and
    the rows of `more` that are not in `here`.
    """
    schema = schema_of(table)
    stored = pa.Table.from_pandas(here[schema.names], schema, preserve_index=False)
    wanted = _tuples(more.select(schema.names))
    left = Counter(wanted)
    gone = []
    for at, row in enumerate(_tuples(stored)):
        if left[row]:
            left[row] -= 1
        else:
            gone.append(at)
    new = []
    for at, row in enumerate(wanted):
        if left[row]:
            left[row] -= 1
            new.append(at)
    return gone, more.take(pa.array(new, pa.int64()))


def without(rows: pd.DataFrame, gone: pd.DataFrame) -> pd.DataFrame:
    """Stored rows but for those that are `gone`, by where they stand."""
    if rows.empty or gone.empty:
        return rows
    places = [FILE, ROW]
    left = ~pd.MultiIndex.from_frame(rows[places]).isin(pd.MultiIndex.from_frame(gone[places]))
    return rows[left]


def _tuples(rows: pa.Table) -> list[tuple[Any, ...]]:
    return list(zip(*(column.to_pylist() for column in rows.columns), strict=True))


def are_alike(parts: Sequence[pa.Table], made: pa.Table) -> bool:
    """Whether `parts` hold the rows of a table that was made anew, and no others."""
    if not parts or {*parts[0].column_names} != {*made.column_names}:
        return False
    stored = pa.concat_tables(parts).select(made.column_names)
    return Counter(_tuples(stored)) == Counter(_tuples(made))
