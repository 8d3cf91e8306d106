"""The states of customers that a day changes: they are made anew for those of whom anything is told
that was not told before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from features.catalog import Catalog
from features.intake.loading.day.edits import Edits
from features.intake.loading.day.events import DayEvents
from features.intake.loading.day.sent import DaySent, unmatched, without
from features.intake.loading.made import changes, together
from features.intake.loading.stored import StoredRows, of_files
from features.intake.loading.told import code_column
from features.intake.over_http.folding import newest_states
from features.intake.reading.source_files import ReadAnew
from features.intake.warehouse_tables import states_table
from features.tables.table import CUSTOMER, RECORDED_AT, SOURCE, States
from features.warehouse.arrow import arrow_table
from features.warehouse.retention import without_expired
from features.warehouse.store import Warehouse

NOTHING = pd.DataFrame({CUSTOMER: pd.Series(dtype="int64")})
Parts = dict[str, pa.Table | None]


@dataclass(frozen=True)
class OwnStates:
    """The rows that sources of a table of states have, with a moment each, and of whom they are
    others than those of the load before.
    """

    rows: pd.DataFrame
    changed: frozenset[int]


@dataclass(frozen=True)
class DayStates:
    """What becomes of a `table` of states: the events of the days of `tellers` tell of it, by the
    numbers in the lists `told`, its `own` sources, and what was `sent`.
    """

    table: States
    warehouse: Warehouse
    tellers: Sequence[DayEvents]
    told: Mapping[str, pd.DataFrame]
    own: OwnStates | None
    sent: DaySent

    def parts(self, catalog: Catalog, now: datetime) -> Parts:
        """The parts that change, by file name, within their retention."""
        files, name = self.warehouse.files(self.table.name), self.table.name
        came, others = self.sent.states(self.table) if self.sent.any else (NOTHING, frozenset())
        concerned = others | self._concerned
        parts: Parts = {}
        if concerned:
            made = self._made(concerned, came[came[CUSTOMER].isin(concerned)])
            here = StoredRows(files).of_customers(concerned)
            gone, new = unmatched(here, made, self.table)
            parts = Edits(here.iloc[gone]).parts(files, name, new)
        stored = {file.name: file for file in files}
        for part in {**stored, **parts}:
            rows = parts[part] if part in parts else pq.read_table(stored[part])
            kept = None if rows is None else without_expired(name, rows, catalog, now)[0]
            if kept is not rows:
                parts[part] = kept
        return parts

    @property
    def _concerned(self) -> frozenset[int]:
        own = frozenset[int]() if self.own is None else self.own.changed
        return own.union(*(day.concerned for day in self.tellers))

    def _made(self, concerned: frozenset[int], came: pd.DataFrame) -> pa.Table:
        """The states of some customers."""
        frames = [frame for day in self.tellers for frame in self._telling(day, concerned)]
        if self.own is not None:
            frames.append(self.own.rows[self.own.rows[CUSTOMER].isin(concerned)])
        filled = [frame for frame in frames if len(frame)]
        if filled:
            of_all = states_table(together(filled, filled[0]), self.table).to_pandas()
            came = newest_states(together([of_all, came], came))
        return arrow_table(came, self.table)

    def _telling(self, day: DayEvents, concerned: frozenset[int]) -> list[pd.DataFrame]:
        """All that is told of some customers, in the order of a load of everything: of those of
        whom there is nothing but newer rows the states that were stored, and these.

        Raises `ReadAnew` where two of one moment, an old and a new one, tell different things.
        """
        told, column = self.told[day.table.name], code_column(self.table)
        if told.columns.empty:
            return []
        before = self._before(day)
        held = self._held(day, concerned, frozenset(before[CUSTOMER].tolist()))
        new = day.new[day.new[CUSTOMER].isin(concerned)]
        if len(held) and len(new):
            met = held.merge(new, on=[CUSTOMER, RECORDED_AT], suffixes=("", "_new"))
            if (met[column] != met[f"{column}_new"]).any():
                raise ReadAnew("a customer's state changed twice in one moment")
        needed = [CUSTOMER, RECORDED_AT, SOURCE, column]
        rows = together([held, new], held)
        rows = changes(rows[needed], self.table) if len(rows) else held
        if rows.empty:
            return [before]
        said = told.iloc[rows[column].to_numpy(dtype=np.int64)].set_axis(rows.index)
        kept = rows[[CUSTOMER, RECORDED_AT, SOURCE]]
        return [before, kept.assign(**{name: said[name] for name in told.columns})]

    def _before(self, day: DayEvents) -> pd.DataFrame:
        """The stored states of those of whom there is nothing but newer rows."""
        if not day.fresh:
            return NOTHING
        states = StoredRows(self.warehouse.files(self.table.name)).of_customers(day.fresh)
        return states[[CUSTOMER, *self.table.by_name, RECORDED_AT, SOURCE]]

    def _held(
        self, day: DayEvents, concerned: frozenset[int], known: frozenset[int]
    ) -> pd.DataFrame:
        """The stored rows that tell of some customers, but for those whose states are `known`."""
        held = without(day.held[day.held[CUSTOMER].isin(concerned)], day.edits.gone)
        lost = (day.fresh & day.known.keys()) - known
        more = lost | (concerned - day.asked)
        if not more:
            return held
        needed = [CUSTOMER, RECORDED_AT, SOURCE, code_column(self.table)]
        stored = StoredRows(self.warehouse.files(day.table.name))
        return together([held, of_files(stored.of_customers(more, needed))], held)
