"""Tables all of whose sources were read in a day's load: customers' facts, and interactions whose
files changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from features.catalog import Catalog
from features.intake.loading.admission import Admitted
from features.intake.loading.day.events import DayEvents
from features.intake.loading.day.sent import DaySent, without
from features.intake.loading.day.states import OwnStates
from features.intake.loading.stored import StoredRows
from features.intake.loading.told import state_hashes, states_file, write_hashes
from features.intake.own_ids import since_first_order
from features.intake.reading.source_files import ReadAnew
from features.intake.warehouse_tables import events_table
from features.tables.table import CUSTOMER, RECORDED_AT, Events, States
from features.warehouse.retention import without_expired


@dataclass
class ReadTables:
    """Which rows were `taken` of such tables, set against the `lines` of orders that are stored."""

    taken: Mapping[str, Admitted]
    lines: StoredRows
    notes: Path
    salt: str
    corrected: frozenset[int]
    catalog: Catalog
    now: datetime
    _hashes: dict[States, pd.DataFrame] = field(default_factory=dict)

    def events(self, table: Events, sent: DaySent) -> pa.Table:
        """A table of events, with what was sent of it."""
        made = events_table(self.taken[table.name].rows, table)
        if table.name in sent.sent.names:
            made = sent.sent.table(table.name, made)
        kept = without_expired(table.name, made, self.catalog, self.now)[0]
        return sent.right({table.name: kept})[table.name]

    def states(self, table: States, orders: DayEvents) -> OwnStates | None:
        """The rows of a table of states; None where it has no sources of its own.

        Raises `ReadAnew` where some changed of a customer whose data was put right.
        """
        if table.name not in self.taken:
            return None
        own = self.taken[table.name].rows
        rows = since_first_order(own, self._first(own, orders), self.now)
        told = self._hashes[table] = state_hashes(rows, table, self.salt)
        before = pq.read_table(states_file(self.notes, table)).to_pandas()
        both = pd.concat([before, told], ignore_index=True)
        changed = frozenset(both[~both.duplicated(keep=False)][CUSTOMER].tolist())
        if changed & self.corrected:
            raise ReadAnew("data of a customer was put right")
        return OwnStates(rows, changed)

    def _first(self, rows: pd.DataFrame, orders: DayEvents) -> pd.DataFrame:
        """The first orders of the customers of whom a row states no moment."""
        if rows.empty or not (unsaid := rows[RECORDED_AT].isna()).any():
            return rows
        whose, gone = rows.loc[unsaid, CUSTOMER], orders.edits.gone
        less = frozenset(gone[CUSTOMER].tolist()) if len(gone) else frozenset()
        stored = self.lines.first_recorded(frozenset(whose.tolist()) - less)
        left = without(orders.held[orders.held[CUSTOMER].isin(less)], gone)
        frames = [frame[[CUSTOMER, RECORDED_AT]] for frame in (left, orders.new) if len(frame)]
        return pd.concat([stored, *frames], ignore_index=True)

    def note(self, notes: Path) -> None:
        """Keep what the next load needs."""
        for table, told in self._hashes.items():
            write_hashes(told, states_file(notes, table))
