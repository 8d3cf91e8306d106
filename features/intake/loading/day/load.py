"""A load of what is new alone: a day's lines beside millions that are there already.

It comes to the same as a load of everything, to the row. Where that is not certain it changes
nothing and says why (`ReadAnew`), and everything is loaded.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import pandas as pd

from features.config.sources import Source
from features.customers.pseudonyms import Customers
from features.customers.vault import Vault
from features.database.engine import Database
from features.events.arrivals import anything_arrived
from features.intake.loading.accounts import note_accounts
from features.intake.loading.day.day_sources import DaySources
from features.intake.loading.day.events import DayEvents, EventsDay
from features.intake.loading.day.news import News, news_of
from features.intake.loading.day.notes import Noted
from features.intake.loading.day.read_tables import ReadTables
from features.intake.loading.day.refused import Refused
from features.intake.loading.day.sent import DaySent
from features.intake.loading.day.tables import DayTables
from features.intake.loading.loaded import Loaded, settings_of, write_loaded
from features.intake.loading.made import stated_tables
from features.intake.loading.people import corrected_customers, people_of
from features.intake.loading.seen import Seen, seen_in, write_seen
from features.intake.loading.sorted_rows import in_a_zone
from features.intake.loading.stored import StoredRows
from features.intake.over_http.folding import Sent, arrived_since, newest_files
from features.intake.reading.source_files import ReadAnew
from features.progress import Progress
from features.shop.corrections import corrected
from features.shop.workspace import Workspace
from features.tables.declared import transactions
from features.tables.table import Events, Facts, States
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
        self._vault = Vault(database, workspace.master_keys)
        self._customers = Customers(database, self._vault, workspace.config.catalog.ids)
        self._faults = dict(faults)
        self._now = now
        self._accept = accept
        self._orders: Seen | None = None

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
            read = self._read(news, warehouse)
            sent = self._sent(warehouse)
            days = self._days(warehouse, read, sent)
            self._refuse_many(read)
            erased = self._customers.erased
            refused = Refused(self._workspace, self._loaded, read.parts, read.anew, erased)
            progress("writing the warehouse", 0.6)
            self._write(warehouse, news, read, days, sent)
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
        if loaded.displaced:
            raise ReadAnew("orders that were sent as a whole stand in place of those of files")
        now = self._now.replace(tzinfo=None)
        for name, source in loaded.sources.items():
            if source.awaited is not None and now >= source.awaited:
                raise ReadAnew(f"a line of {name} may be read whose moment lay in the future")

    def _seen(self, warehouse: Warehouse) -> Seen:
        """The orders that were seen; what of them is read is read once."""
        if self._orders is None:
            self._orders = Seen.of(warehouse.notes)
        return self._orders

    def _news(self, source: Source) -> News:
        """What is new of a source, or why all of it has to be read."""
        before = self._loaded.sources[source.name]
        try:
            return news_of(source, self._workspace.root, before)
        except ReadAnew as reason:
            return News((), {}, (), (), str(reason))

    def _read(self, news: Mapping[str, News], warehouse: Warehouse) -> DaySources:
        read = DaySources(
            self._workspace,
            self._sources,
            self._loaded,
            news,
            self._customers,
            warehouse.notes,
            self._now,
        )
        read.read()
        return read

    def _sent(self, warehouse: Warehouse) -> DaySent:
        """What was sent over HTTP."""
        newest = newest_files(self._sources, (), self._workspace.root)
        came = arrived_since(self._database, self._vault)
        return DaySent(
            Sent(came, self._workspace.tables, newest),
            self._loaded.over_http,
            warehouse,
            self._workspace.config.catalog,
            corrected_customers(self._database),
            lambda tables: corrected(tables, self._database, self._vault),
            self._now,
        )

    def _refuse_many(self, read: DaySources) -> None:
        """Raise `ReadAnew` where too many lines of a source would be rejected by now."""
        for part in read.parts:
            before = self._loaded.sources[part.source.name]
            fresh = part.table.name in read.anew
            lines = part.read + (0 if fresh else before.read)
            rejected = len(part.rejected) + (0 if fresh else before.rejected)
            if rejected > self._accept * lines:
                raise ReadAnew("many lines would be rejected")

    def _days(self, warehouse: Warehouse, read: DaySources, sent: DaySent) -> dict[str, DayEvents]:
        """What the day brings to each table of events of which not all was read."""
        days = {}
        filled = stated_tables(self._sources, self._workspace.tables)
        for table in (one for one in filled if isinstance(one, Events)):
            if table.name not in read.anew:
                try:
                    days[table.name] = self._day(table, warehouse, read)
                    sent.fold(days[table.name])
                except ReadAnew as reason:
                    read.read_anew(table.name, reason)
                    days.pop(table.name, None)
        return days

    def _day(self, table: Events, warehouse: Warehouse, read: DaySources) -> DayEvents:
        workspace = self._workspace
        tells = [one for one in workspace.tables.values() if table.name in one.stated_in]
        own = any(isinstance(one, States) and one.name in read.anew for one in tells)
        every = own or self._loaded.over_http or anything_arrived(self._database)
        day = EventsDay(
            table,
            StoredRows(warehouse.files(table.name)),
            self._loaded,
            workspace.config.catalog,
            self._customers,
            self._seen(warehouse),
            self._now,
            ("all" if every else "older") if tells else "none",
        )
        return day.take(read.of_table(table.name), read.rows(table.name))

    def _write(
        self,
        warehouse: Warehouse,
        news: Mapping[str, News],
        read: DaySources,
        days: Mapping[str, DayEvents],
        sent: DaySent,
    ) -> None:
        right = corrected_customers(self._database)
        if right & frozenset[int]().union(*(day.concerned for day in days.values())):
            raise ReadAnew("data of a customer was put right")
        anew = ReadTables(
            read.taken(),
            StoredRows(warehouse.files(transactions.NAME)),
            warehouse.notes,
            self._loaded.salt,
            right,
            self._workspace.config.catalog,
            self._now,
        )
        changed = DayTables(self._workspace, warehouse, self._sources, days, anew, sent, self._now)
        tables = changed.parts([part for part in read.parts if isinstance(part.table, Facts)])
        noted = Noted(
            self._loaded,
            warehouse,
            anew.taken,
            read.joined,
            sent,
            self._seen(warehouse),
            self._workspace,
            self._now,
        )
        loaded = noted.after(news, read.parts, days)
        only_states = all(isinstance(part.table, States) for part in read.parts)
        if not tables and only_states and not sent.news:
            write_loaded(loaded, warehouse.notes)
            return

        def note(notes: Path) -> None:
            changed.note(notes)
            lines = read.of_table(transactions.NAME)
            if lines:
                gone = days[transactions.NAME]
                seen = seen_in(gone.parts, loaded.salt)
                write_seen(
                    pd.concat([seen, noted.gone_back(gone)]), Seen.of(notes).next_file(notes)
                )
                note_accounts(lines, self._customers, loaded.salt, notes)
            write_loaded(noted.stored(loaded, notes.parent), notes)

        warehouse.renew(tables, note, sent.sent.until)
