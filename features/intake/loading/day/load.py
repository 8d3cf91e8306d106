"""A load of what is new alone: a day's lines beside millions that are there already.

It comes to the same as a load of everything, to the row. Where that is not certain it changes
nothing and says why (`ReadAnew`), and everything is loaded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

import pandas as pd

from features.config.sources import Source
from features.customers.pseudonyms import Customers
from features.customers.vault import Vault
from features.database.engine import Database
from features.events.arrivals import anything_arrived
from features.intake.loading.accounts import note_accounts, noted_accounts, refuse_former_guests
from features.intake.loading.day.events import DayEvents, EventsDay
from features.intake.loading.day.news import News, news_of
from features.intake.loading.day.notes import Noted
from features.intake.loading.day.refused import Refused
from features.intake.loading.day.tables import DayTables
from features.intake.loading.loaded import Loaded, settings_of, write_loaded
from features.intake.loading.people import corrected_customers, people_of
from features.intake.loading.seen import Seen, seen_in, write_seen
from features.intake.loading.sorted_rows import SortedRows, in_a_zone, rows_of, sort_rows
from features.intake.loading.stored import StoredRows
from features.intake.reading.databases.rows import DatabaseTable
from features.intake.reading.source_files import ReadAnew
from features.intake.reading.sources import SourceRows, read_pieces, read_source, read_table
from features.progress import Progress
from features.shop.workspace import Workspace
from features.tables.declared import transactions
from features.tables.declared.transactions import CUSTOMER_EMAIL
from features.tables.table import Events, Facts
from features.warehouse.store import Warehouse


class DayLoad:
    """Takes in what is new since a load that noted `loaded`."""

    def __init__(
        self,
        workspace: Workspace,
        database: Database,
        loaded: Loaded,
        faults: Mapping[str, str],
        now: datetime,
        accept: float,
    ) -> None:
        self._workspace = workspace
        self._database = database
        self._loaded = loaded
        vault = Vault(database, workspace.master_keys)
        self._customers = Customers(database, vault, workspace.config.catalog.ids)
        self._faults = dict(faults)
        self._now = now
        self._accept = accept

    def run(self, warehouse: Warehouse, progress: Progress) -> None:
        """Load. Raises `ReadAnew` where everything has to be loaded, and `SourceError` where a
        source cannot be read; then nothing has changed.
        """
        self._refuse_other_settings()
        progress("looking for what is new", 0.0)
        news = {source.name: self._news(source) for source in self._sources}
        with warehouse.alone():
            if people_of(self._database) != self._loaded.people:
                raise ReadAnew("customers were erased or merged since")
            progress("reading what is new", 0.3)
            parts = [
                part for source in self._sources if (part := self._read(source, news, warehouse))
            ]
            self._refuse_many(parts)
            refused = Refused(self._workspace, self._loaded, parts, self._customers.erased)
            progress("writing the warehouse", 0.6)
            self._write(warehouse, news, parts)
            refused.write()

    @property
    def _sources(self) -> list[Source]:
        config = self._workspace.config
        readable = [source for source in config.sources if source.name not in self._faults]
        return [in_a_zone(source, config.shop.time_zone) for source in readable]

    def _refuse_other_settings(self) -> None:
        loaded = self._loaded
        if loaded.settings != settings_of(self._workspace) or loaded.not_read != self._faults:
            raise ReadAnew("the settings of the sources changed")
        tables = self._workspace.tables
        for one in self._sources:
            if one.table in tables.personal and one.table != transactions.NAME:
                raise ReadAnew(f"rows of {one.table} are set against all orders")
        if self._loaded.over_http or anything_arrived(self._database):
            raise ReadAnew("rows were sent over HTTP")
        now = self._now.replace(tzinfo=None)
        for name, source in loaded.sources.items():
            if source.awaited is not None and now >= source.awaited:
                raise ReadAnew(f"a line of {name} may be read whose moment lay in the future")

    def _news(self, source: Source) -> News:
        return news_of(source, self._workspace.root, self._loaded.sources[source.name])

    def _read(
        self, source: Source, news: Mapping[str, News], warehouse: Warehouse
    ) -> SortedRows | None:
        """The new rows of a source; of products all, where any is new. None where nothing is."""
        workspace, tables = self._workspace, self._workspace.tables
        pieces, config = news[source.name].pieces, workspace.config
        table = self._newer(source)
        if not pieces and table is None:
            return None
        if isinstance(tables[source.table], Facts):
            found = read_source(source, workspace.root, self._now, tables)
            return sort_rows(found, source, tables, config.shop, config.catalog.ids)
        if not isinstance(tables[source.table], Events):
            raise ReadAnew(f"{source.name} has new rows of {source.table}")
        if table is not None:
            found = read_table(source, table, self._now, tables)
        else:
            found = read_pieces(source, pieces, workspace.root, self._now, tables)
        accounts = self._accounts(source, found, warehouse)
        return sort_rows(found, source, tables, config.shop, config.catalog.ids, accounts)

    def _newer(self, source: Source) -> DatabaseTable | None:
        """The newer rows of a source that a database has; None where there are none.

        Raises `ReadAnew` where it cannot be asked for these alone.
        """
        before = self._loaded.sources[source.name].marked
        if source.url is None or before is None:
            return None
        facts = isinstance(self._workspace.tables[source.table], Facts)
        whole = source.watermark is None or facts
        table = DatabaseTable(source, None if whole else before)
        if table.mark == before:
            return None
        if whole and not facts:
            raise ReadAnew(f"rows of {source.name} changed, and it states no `watermark`")
        return table

    def _accounts(self, source: Source, found: SourceRows, warehouse: Warehouse) -> dict[str, str]:
        if CUSTOMER_EMAIL not in source.columns:
            return {}
        loaded, customers = self._loaded, self._customers
        known = noted_accounts(found.rows, source.name, customers, loaded.salt, warehouse.notes)
        refuse_former_guests(found.rows, known, customers)
        return known

    def _refuse_many(self, parts: Sequence[SortedRows]) -> None:
        """Raise `ReadAnew` where too many lines of a source would be rejected by now."""
        for part in parts:
            before = self._loaded.sources[part.source.name]
            fresh = isinstance(part.table, Facts)
            read = part.read + (0 if fresh else before.read)
            rejected = len(part.rejected) + (0 if fresh else before.rejected)
            if rejected > self._accept * read:
                raise ReadAnew("many lines would be rejected")

    def _write(
        self, warehouse: Warehouse, news: Mapping[str, News], parts: Sequence[SortedRows]
    ) -> None:
        days = self._days(warehouse, parts)
        concerned = frozenset[int]().union(*(day.concerned for day in days.values()))
        if concerned & corrected_customers(self._database):
            raise ReadAnew("data of a customer was put right")
        changed = DayTables(self._workspace, warehouse, self._sources, days, self._now)
        tables = changed.parts([part for part in parts if isinstance(part.table, Facts)])
        noted = Noted(self._loaded, warehouse, self._now)
        loaded = noted.after(news, parts, days)
        if not tables and not parts:
            write_loaded(loaded, warehouse.notes)
            return

        def note(notes: Path) -> None:
            changed.note(notes)
            lines = [part for part in parts if part.table.name == transactions.NAME]
            if lines:
                gone = days[transactions.NAME]
                seen = seen_in(gone.parts, loaded.salt)
                write_seen(
                    pd.concat([seen, noted.gone_back(gone)]), Seen.of(notes).next_file(notes)
                )
                note_accounts(lines, self._customers, loaded.salt, notes)
            write_loaded(noted.stored(loaded, notes.parent), notes)

        warehouse.renew(tables, note)

    def _days(self, warehouse: Warehouse, parts: Sequence[SortedRows]) -> dict[str, DayEvents]:
        tables, catalog, days = self._workspace.tables, self._workspace.config.catalog, {}
        seen = Seen.of(warehouse.notes)
        for table in (one for one in tables.values() if isinstance(one, Events)):
            own = [part for part in parts if part.table is table]
            if files := warehouse.files(table.name):
                day = EventsDay(
                    table,
                    StoredRows(files),
                    self._loaded,
                    catalog,
                    self._customers,
                    seen,
                    self._now,
                )
                days[table.name] = day.take(own, rows_of(own, table.name, tables))
            elif own:
                raise ReadAnew(f"{table.name} is filled for the first time")
        return days
