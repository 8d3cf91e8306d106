"""A load of everything: all sources are read, and the warehouse is made anew."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import pyarrow as pa

from features.config.sources import Source
from features.customers.pseudonyms import Customers
from features.customers.vault import Vault
from features.database.engine import Database
from features.intake.ingest_report import kinds_in
from features.intake.loading.admission import Admitted, admitted
from features.intake.loading.loaded import Loaded, settings_of
from features.intake.loading.made import MadeTables, made_of
from features.intake.loading.people import people_of
from features.intake.loading.read_whole import joined_files, read_whole
from features.intake.loading.seen import new_salt
from features.intake.loading.sorted_rows import (
    SortedRows,
    in_a_zone,
    nothing_left,
    refuse_many,
    rows_of,
    sort_rows,
)
from features.intake.loading.whole_notes import WholeNotes
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
        self._joined: dict[str, dict[str, FileRead]] = {}

    def run(self, warehouse: Warehouse, progress: Progress) -> None:
        """Load. Raises `SourceError` where a source cannot be read, no purchase is left, or too
        many lines would be rejected; then nothing has changed.
        """
        root, parts = self._workspace.root, self._read(progress)
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
            notes = self._notes(parts, taken, people)
            sources = [part.source for part in parts]
            rows = {name: taken.pop(name).rows for name in [*taken]}
            parts.clear()  # of a long file there is room for one form of its rows
            self._write(warehouse, made_of(rows, sources, self._workspace.tables), notes)
            write_rejected(self._workspace.rejected, rejected)

    def _write(self, warehouse: Warehouse, made: MadeTables, notes: WholeNotes) -> None:
        sent, catalog = self._sent(), self._workspace.config.catalog
        displaced = sent.displaces(made.tables[transactions.NAME])
        within = {
            name: without_expired(name, table, catalog, self._now)[0]
            for name, table in sent.folded(made.tables).items()
        }
        made.tables.clear()
        stored = corrected(within, self._database, self._vault)
        within.clear()
        warehouse.replace(
            stored,
            lambda folder: notes.write(
                folder, self._customers, made, len(sent.came), displaced=displaced
            ),
            sent.until,
        )

    def _notes(
        self,
        parts: Sequence[SortedRows],
        taken: Mapping[str, Admitted],
        people: tuple[int, int],
    ) -> WholeNotes:
        root, tables = self._workspace.root, self._workspace.tables
        sources = {
            part.source.name: read_whole(
                part, taken[part.table.name], self._joined[part.source.name], root
            )
            for part in parts
        }
        loaded = Loaded(
            settings=settings_of(self._workspace),
            made_at=self._now,
            salt=new_salt(),
            people=people,
            not_read=self._faults,
            sources=sources,
            left_out={name: one.left_out for name, one in taken.items()},
            interactions=kinds_in(taken[interactions.NAME].rows),
        )
        own = {one: taken[one.name].rows for one in tables.values() if isinstance(one, States)}
        return WholeNotes.of(loaded, parts, own)

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


def _left_out(taken: Iterable[Admitted]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for one in taken:
        total.update(one.left_out)
    return dict(total)
