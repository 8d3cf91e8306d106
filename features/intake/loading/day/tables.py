"""The parts of all tables that a day's events change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from features.config.sources import Source
from features.intake.loading.day.edits import Edits
from features.intake.loading.day.events import DayEvents
from features.intake.loading.day.read_tables import ReadTables
from features.intake.loading.day.sent import DaySent, are_alike
from features.intake.loading.day.states import DayStates, Parts
from features.intake.loading.made import stated_tables, together
from features.intake.loading.sorted_rows import SortedRows, rows_of
from features.intake.loading.stored import StoredRows
from features.intake.loading.told import (
    code_column,
    coded,
    counted,
    file_of,
    read_list,
    stated_file,
    write_list,
)
from features.intake.over_http.folding import like
from features.intake.warehouse_tables import events_table, facts_table
from features.shop.workspace import Workspace
from features.tables.declared import transactions
from features.tables.table import Events, Facts, States, Table
from features.warehouse.parts import parts_of
from features.warehouse.store import Warehouse


class DayTables:
    """What becomes of the tables of a warehouse when the events of `days`, by table, come in, all
    rows of tables that were read `anew`, and what was `sent`.
    """

    def __init__(
        self,
        workspace: Workspace,
        warehouse: Warehouse,
        sources: Sequence[Source],
        days: Mapping[str, DayEvents],
        anew: ReadTables,
        sent: DaySent,
        now: datetime,
    ) -> None:
        self._anew = anew
        self._sent = sent
        self._workspace = workspace
        self._warehouse = warehouse
        self._sources = sources
        self._days = days
        self._now = now
        self._lists: dict[tuple[str, Table], pd.DataFrame] = {}
        self._stated: dict[Table, pd.DataFrame] = {}
        self._tell()

    def parts(self, facts: Sequence[SortedRows]) -> Parts:
        """The parts that change, by file name; `facts` are sources of facts that were read anew."""
        found: Parts = {}
        filled = stated_tables(self._sources, self._workspace.tables)
        for table in filled:
            if isinstance(table, Facts):
                found |= self._facts(table, facts)
            elif isinstance(table, States):
                found |= self._states(table)
            elif table.name in self._days:
                found |= self._events(self._days[table.name])
            elif isinstance(table, Events):
                found |= self._whole(table.name, self._anew.events(table, self._sent))
        if self._sent.any:
            for name, rows in self._sent.without_files(filled).items():
                found |= self._whole(name, rows)
        return found

    def note(self, notes: Path) -> None:
        """Keep what was told and stated for the next load."""
        for (teller, table), told in self._lists.items():
            write_list(told, file_of(notes, table, teller), table)
        for table, rows in self._stated.items():
            write_list(rows, stated_file(notes, table), table)
        self._anew.note(notes)

    def _tell(self) -> None:
        """Give the new rows the numbers of what they tell of other tables."""
        for table in stated_tables(self._sources, self._workspace.tables):
            for teller in table.stated_in:
                if teller in self._days and len(self._days[teller].new):
                    day = self._days[teller]
                    before = read_list(file_of(self._warehouse.notes, table, teller))
                    codes, told = coded(day.new, [*before.columns], before)
                    day.new = day.new.assign(**{code_column(table): codes})
                    self._lists[teller, table] = told

    def _told(self, teller: str, table: Table) -> pd.DataFrame:
        known = self._lists.get((teller, table))
        return read_list(file_of(self._warehouse.notes, table, teller)) if known is None else known

    def _events(self, day: DayEvents) -> Parts:
        if not day.changes:
            return {}
        files = self._warehouse.files(day.table.name)
        schema = pq.read_schema(files[-1])
        new = schema.empty_table() if day.sent_new is None else like(day.sent_new, schema)
        if len(day.new):
            new = pa.concat_tables([like(events_table(day.new, day.table), schema), new])
        gone = [rows for rows in (day.edits.gone, day.sent_gone) if len(rows)]
        edits = Edits(pd.concat(gone) if gone else day.edits.gone, day.edits.less)
        return dict(edits.parts(files, day.table.name, new))

    def _states(self, table: States) -> Parts:
        tellers = [self._days[name] for name in table.stated_in if name in self._days]
        told = {day.table.name: self._told(day.table.name, table) for day in tellers}
        own = self._anew.states(table, self._days[transactions.NAME])
        states = DayStates(table, self._warehouse, tellers, told, own, self._sent)
        return states.parts(self._workspace.config.catalog, self._now)

    def _facts(self, table: Facts, facts: Sequence[SortedRows]) -> Parts:
        tellers = [self._days[name] for name in table.stated_in if name in self._days]
        anew = [part for part in facts if part.table is table]
        if not anew and not self._sent.any and not any(day.changes for day in tellers):
            return {}
        stated = self._stated_rows(table, anew)
        told = [
            counted(self._told(day.table.name, table), self._counts(day, table)) for day in tellers
        ]
        made = facts_table(together(told, stated), stated, table)
        if table.name in self._sent.sent.names:
            made = self._sent.sent.table(table.name, made)
        return self._whole(table.name, made)

    def _whole(self, name: str, made: pa.Table) -> Parts:
        """The parts of a table that was made as a whole; none where it is as it was."""
        files = self._warehouse.files(name)
        if are_alike([pq.read_table(file) for file in files], made):
            return {}
        return {**{file.name: None for file in files}, **dict(parts_of(made, name))}

    def _stated_rows(self, table: Facts, anew: Sequence[SortedRows]) -> pd.DataFrame:
        """The rows that sources of the table state."""
        if not anew:
            return read_list(stated_file(self._warehouse.notes, table))
        rows = rows_of(anew, table.name, self._workspace.tables)
        self._stated[table] = rows[[*table.by_name]]
        return rows

    def _counts(self, day: DayEvents, table: Table) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """How many rows tell each of the list."""
        column, told = code_column(table), self._told(day.table.name, table)
        counts = np.zeros(len(told), dtype=np.int64)
        stored = StoredRows(self._warehouse.files(day.table.name)).counts(column)
        counts[list(stored)] = list(stored.values())
        if len(day.edits.gone):
            np.subtract.at(counts, day.edits.gone[column].to_numpy(dtype=np.int64), 1)
        if len(day.new):
            np.add.at(counts, day.new[column].to_numpy(dtype=np.int64), 1)
        return counts
