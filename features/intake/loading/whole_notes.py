"""What a load of everything notes for the next one: it is told by the rows before these are let go
of, and written once the tables are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from features.customers.pseudonyms import Customers
from features.intake.loading.accounts import note_accounts
from features.intake.loading.loaded import Loaded, write_loaded
from features.intake.loading.made import MadeTables
from features.intake.loading.seen import Seen, seen_in, write_seen
from features.intake.loading.sorted_rows import SortedRows
from features.intake.loading.stored import StoredRows, filed_rows
from features.intake.loading.told import state_hashes, states_file, write_hashes
from features.tables.declared import transactions
from features.tables.table import States
from features.warehouse.parts import by_table


@dataclass
class WholeNotes:
    """The notes so far: the orders `seen`, sources of order lines without their rows, and hashes of
    the rows of `states`.
    """

    loaded: Loaded
    seen: pd.DataFrame
    lines: Sequence[SortedRows]
    states: Mapping[States, pd.DataFrame]

    @classmethod
    def of(
        cls, loaded: Loaded, parts: Sequence[SortedRows], rows: Mapping[States, pd.DataFrame]
    ) -> WholeNotes:
        """Those that rows of `parts` tell, and `rows` of tables of states."""
        lines = [part for part in parts if part.table.name == transactions.NAME]
        states = {table: state_hashes(own, table, loaded.salt) for table, own in rows.items()}
        empty = [replace(part, kept=pd.DataFrame(), aside=pd.DataFrame()) for part in lines]
        return cls(loaded, seen_in(lines, loaded.salt), empty, states)

    def write(
        self, notes: Path, customers: Customers, made: MadeTables, sent: int, *, displaced: bool
    ) -> None:
        """Write them, with what the tables beside them come to, of which so many rows were `sent`
        over HTTP.
        """
        write_seen(self.seen, Seen.of(notes).next_file(notes))
        note_accounts(self.lines, customers, self.loaded.salt, notes)
        made.note(notes)
        for table, told in self.states.items():
            write_hashes(told, states_file(notes, table))
        files = by_table(notes.parent)
        bought = StoredRows(files[transactions.NAME])
        orders, shared = bought.orders()
        loaded = replace(
            self.loaded,
            until=made.until,
            lines=filed_rows(files, sent=sent > 0),
            parts=bought.figures({}),
            orders=orders,
            customers=bought.customers(),
            shared_orders=shared,
            over_http=sent,
            displaced=displaced,
        )
        write_loaded(loaded, notes)
