"""A load of everything: all sources are read, and the warehouse is made anew."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pyarrow as pa

from features.config.sources import Source
from features.customers.pseudonyms import Customers
from features.customers.vault import Vault
from features.database.engine import Database
from features.intake.ingest_report import kinds_in
from features.intake.loading.accounts import note_accounts
from features.intake.loading.admission import Admitted, admitted
from features.intake.loading.loaded import Loaded, settings_of, write_loaded
from features.intake.loading.made import MadeTables, made_of
from features.intake.loading.people import people_of
from features.intake.loading.read_whole import joined_files, read_whole
from features.intake.loading.seen import Seen, new_salt, seen_in, write_seen
from features.intake.loading.sorted_rows import (
    SortedRows,
    in_a_zone,
    nothing_left,
    refuse_many,
    rows_of,
    sort_rows,
)
from features.intake.loading.stored import StoredRows, filed_rows
from features.intake.loading.told import state_hashes, states_file, write_hashes
from features.intake.over_http.folding import Sent, arrived_since, newest_files
from features.intake.own_ids import by_account, since_first_order
from features.intake.reading.rejected import with_raw, without_erased, write_rejected
from features.intake.reading.source_files import FileRead
from features.intake.reading.sources import read_source
from features.progress import Progress
from features.shop.corrections import corrected
from features.shop.workspace import Workspace
from features.tables.declared import interactions, transactions
from features.tables.table import States
from features.warehouse.parts import by_table
from features.warehouse.retention import without_expired
from features.warehouse.store import Warehouse


class WholeLoad:
    """Reads all sources of a workspace but those of `faults`, which may not be read."""

    def __init__(
        self,
        workspace: Workspace,
        database: Database,
        faults: Mapping[str, str],
        now: datetime,
        accept: float,
    ) -> None:
        self._workspace = workspace
        self._database = database
        self._vault = Vault(database, workspace.master_keys)
        self._customers = Customers(database, self._vault, workspace.config.catalog.ids)
        self._faults = dict(faults)
        self._now = now
        self._accept = accept
        self._salt = new_salt()
        self._over_http = 0
        self._displaced = False
        self._joined: dict[str, dict[str, FileRead]] = {}

    def run(self, warehouse: Warehouse, progress: Progress) -> None:
        """Load. Raises `SourceError` where a source cannot be read, no purchase is left, or too
        many lines would be rejected; then nothing has changed.
        """
        root, catalog = self._workspace.root, self._workspace.config.catalog
        parts = self._read(progress)
        for part in parts:
            refuse_many(part, self._accept)
        rejected = {
            part.source.name: with_raw(part.rejected, root, table=part.found.table)
            for part in parts
        }
        progress("naming customers", 0.6)
        with warehouse.alone():  # who is erased or put right from here on finds the new tables
            people, erased = people_of(self._database), self._customers.erased
            rejected = {name: without_erased(rows, erased) for name, rows in rejected.items()}
            taken = self._admitted(parts)
            if taken[transactions.NAME].rows.empty:
                raise nothing_left(parts, _left_out(taken.values()), self._faults)
            progress("writing the warehouse", 0.8)
            rows = {name: one.rows for name, one in taken.items()}
            made = made_of(rows, [part.source for part in parts], self._workspace.tables)
            sent = self._sent()
            within = {
                name: without_expired(name, table, catalog, self._now)[0]
                for name, table in sent.folded(made.tables).items()
            }
            stored = corrected(within, self._database, self._vault)
            self._over_http = len(sent.came)
            self._displaced = sent.displaces(made.tables[transactions.NAME])
            warehouse.replace(
                stored,
                lambda notes: self._note(notes, parts, taken, made, people),
                sent.until,
            )
            write_rejected(self._workspace.rejected, rejected)

    def _sent(self) -> Sent:
        """What was sent over HTTP, beside the files that are read."""
        sources, root = self._workspace.config.sources, self._workspace.root
        newest = newest_files(sources, self._faults, root)
        return Sent(arrived_since(self._database, self._vault), self._workspace.tables, newest)

    def _read(self, progress: Progress) -> list[SortedRows]:
        """The rows of all sources but those that may not be read."""
        workspace, config, parts = self._workspace, self._workspace.config, list[SortedRows]()
        for position, source in enumerate(config.sources):
            progress(f"reading {source.name}", 0.6 * position / len(config.sources))
            if source.name not in self._faults:
                zoned = in_a_zone(source, config.shop.time_zone)
                self._joined[source.name] = joined_files(source, workspace.root)
                parts.append(self._sorted(zoned))
                pa.default_memory_pool().release_unused()  # what reading a long file needed
        return parts

    def _sorted(self, source: Source) -> SortedRows:
        workspace, config = self._workspace, self._workspace.config
        found = read_source(source, workspace.root, self._now, workspace.tables)
        return sort_rows(found, source, workspace.tables, config.shop, config.catalog.ids)

    def _admitted(self, parts: Sequence[SortedRows]) -> dict[str, Admitted]:
        tables, catalog = self._workspace.tables, self._workspace.config.catalog
        found = {name: Admitted(rows_of(parts, name, tables), {}) for name in tables}
        accounts = {mail: id for part in reversed(parts) for mail, id in part.accounts.items()}
        for name in tables.personal:
            rows = found[name].rows
            rows = rows if name == transactions.NAME else by_account(rows, accounts)
            found[name] = admitted(rows, tables[name], self._customers, catalog, self._now)
        lines = found[transactions.NAME].rows
        for name in (one for one in tables.personal if isinstance(tables[one], States)):
            dated = since_first_order(found[name].rows, lines, self._now)
            found[name] = replace(found[name], rows=dated)
        return found

    def _note(
        self,
        notes: Path,
        parts: Sequence[SortedRows],
        taken: Mapping[str, Admitted],
        made: MadeTables,
        people: tuple[int, int],
    ) -> None:
        lines = [part for part in parts if part.table.name == transactions.NAME]
        write_seen(seen_in(lines, self._salt), Seen.of(notes).next_file(notes))
        note_accounts(lines, self._customers, self._salt, notes)
        made.note(notes)
        self._note_states(notes, taken)
        files = by_table(notes.parent)
        bought = StoredRows(files[transactions.NAME])
        loaded = Loaded(
            settings=settings_of(self._workspace),
            made_at=self._now,
            salt=self._salt,
            people=people,
            not_read=self._faults,
            sources={
                part.source.name: read_whole(
                    part,
                    taken[part.table.name],
                    self._joined[part.source.name],
                    self._workspace.root,
                )
                for part in parts
            },
            until=made.until,
            left_out={name: one.left_out for name, one in taken.items()},
            lines=filed_rows(files, sent=self._over_http > 0),
            parts=bought.figures({}),
            orders=bought.orders(),
            customers=bought.customers(),
            over_http=self._over_http,
            displaced=self._displaced,
            interactions=kinds_in(taken[interactions.NAME].rows),
        )
        write_loaded(loaded, notes)

    def _note_states(self, notes: Path, taken: Mapping[str, Admitted]) -> None:
        for table in self._workspace.tables.values():
            if isinstance(table, States):
                told = state_hashes(taken[table.name].rows, table, self._salt)
                write_hashes(told, states_file(notes, table))


def _left_out(taken: Iterable[Admitted]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for one in taken:
        total.update(one.left_out)
    return dict(total)
