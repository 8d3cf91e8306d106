"""The parts of all tables that a day's events change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.config.sources import Source
from features.intake.loading.day.events import DayEvents
from features.intake.loading.made import stated_tables, together
from features.intake.loading.sorted_rows import SortedRows, rows_of
from features.intake.loading.stored import FILE, ROW, StoredRows
from features.intake.loading.told import (
    code_column,
    coded,
    counted,
    file_of,
    read_list,
    stated_file,
    write_list,
)
from features.intake.reading.source_files import ReadAnew
from features.intake.warehouse_tables import events_table, facts_table, states_table
from features.shop.workspace import Workspace
from features.tables.table import CUSTOMER, RECORDED_AT, SOURCE, Facts, States, Table
from features.warehouse.parts import part_name
from features.warehouse.retention import without_expired
from features.warehouse.store import Warehouse

Parts = dict[str, pa.Table | None]


class DayTables:
    """What becomes of the tables of a warehouse when the events of `days`, by table, come in."""

    def __init__(
        self,
        workspace: Workspace,
        warehouse: Warehouse,
        sources: Sequence[Source],
        days: Mapping[str, DayEvents],
        now: datetime,
    ) -> None:
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
        for table in stated_tables(self._sources, self._workspace.tables):
            if table.name in self._days:
                found |= self._events(self._days[table.name])
            elif isinstance(table, Facts):
                found |= self._facts(table, facts)
            elif isinstance(table, States):
                found |= self._states(table)
        return found

    def note(self, notes: Path) -> None:
        """Keep what was told and stated for the next load."""
        for (teller, table), told in self._lists.items():
            write_list(told, file_of(notes, table, teller), table)
        for table, rows in self._stated.items():
            write_list(rows, stated_file(notes, table), table)

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
        new = events_table(day.new, day.table) if len(day.new) else pa.table({})
        return dict(day.edits.parts(files, day.table.name, new))

    def _facts(self, table: Facts, facts: Sequence[SortedRows]) -> Parts:
        tellers = [self._days[name] for name in table.stated_in if name in self._days]
        anew = [part for part in facts if part.table is table]
        if not anew and not any(day.changes for day in tellers):
            return {}
        stated = self._stated_rows(table, anew)
        told = [
            counted(self._told(day.table.name, table), self._counts(day, table)) for day in tellers
        ]
        return {part_name(table.name, 0): facts_table(together(told, stated), stated, table)}

    def _stated_rows(self, table: Facts, anew: Sequence[SortedRows]) -> pd.DataFrame:
        """The rows that sources of the table state. Raises `ReadAnew` where some of several sources
        were read anew.
        """
        sources = [source.name for source in self._sources if source.table == table.name]
        if not anew:
            return read_list(stated_file(self._warehouse.notes, table))
        if len(anew) < len(sources):
            raise ReadAnew(f"of several sources of {table.name} some changed")
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

    def _states(self, table: States) -> Parts:
        """The table with the states of all customers concerned made anew, within its retention."""
        rows = pq.read_table(self._warehouse.files(table.name)[0])
        tellers = [self._days[name] for name in table.stated_in if name in self._days]
        concerned = frozenset[int]().union(*(day.concerned for day in tellers))
        changed = rows
        if concerned:
            if any(source.table == table.name for source in self._sources):
                raise ReadAnew(f"{table.name} has sources of its own")
            own = self._told_of(table, tellers, rows, concerned)
            theirs = pc.is_in(rows[CUSTOMER], pa.array(sorted(concerned), pa.int64()))
            others = rows.filter(pc.invert(theirs))
            if len(own):
                others = pa.concat_tables([others, states_table(own, table).cast(rows.schema)])
            changed = others.sort_by([(CUSTOMER, "ascending"), (RECORDED_AT, "ascending")])
        catalog = self._workspace.config.catalog
        kept = without_expired(table.name, changed, catalog, self._now)[0]
        return {} if kept is rows else {part_name(table.name, 0): kept}

    def _told_of(
        self,
        table: States,
        tellers: Sequence[DayEvents],
        rows: pa.Table,
        concerned: frozenset[int],
    ) -> pd.DataFrame:
        """All that is told of the customers concerned: of those of whom there is nothing but newer
        rows, the states that were stored and these.

        Raises `ReadAnew` where a state that was stored is gone that is not too old.
        """
        fresh = frozenset[int]().union(*(day.fresh for day in tellers))
        states = rows.filter(pc.is_in(rows[CUSTOMER], pa.array(sorted(fresh), pa.int64())))
        before = states.to_pandas()
        lost = {one for day in tellers for one in fresh & day.known.keys()}
        if lost - set(before[CUSTOMER].tolist()) and len(tellers) == 1:
            day = tellers[0]
            stored = StoredRows(self._warehouse.files(day.table.name))
            more = lost - set(before[CUSTOMER].tolist())
            day.held = pd.concat([day.held, stored.of_customers(more)], ignore_index=True)
        told = [self._telling(day, table, concerned) for day in tellers]
        return together([before, *told], before)

    def _telling(self, day: DayEvents, table: States, concerned: frozenset[int]) -> pd.DataFrame:
        """All rows that tell of the customers concerned, in the order of a load of everything.

        Raises `ReadAnew` where two of one moment, an old and a new one, tell different things.
        """
        column, gone = code_column(table), day.edits.gone
        held = day.held[day.held[CUSTOMER].isin(concerned)]
        if len(gone):
            both = [FILE, ROW]
            held = held[
                ~pd.MultiIndex.from_frame(held[both]).isin(pd.MultiIndex.from_frame(gone[both]))
            ]
        new = day.new[day.new[CUSTOMER].isin(concerned)]
        if len(held) and len(new):
            met = held.merge(new, on=[CUSTOMER, RECORDED_AT], suffixes=("", "_new"))
            if (met[column] != met[f"{column}_new"]).any():
                raise ReadAnew("a customer's state changed twice in one moment")
        told = self._told(day.table.name, table)
        columns = [*told.columns]
        said = told.iloc[held[column].to_numpy(dtype=np.int64)].set_axis(held.index)
        kept = [CUSTOMER, *columns, RECORDED_AT, SOURCE]
        named = held[[CUSTOMER, RECORDED_AT, SOURCE]].assign(
            **{name: said[name] for name in columns}
        )
        return together([named[kept], new[kept]], new[kept])


NONE = pd.DataFrame()
