"""The rows that a day's load reads: of most sources what is new, and all of those whose tables are
made anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

import pandas as pd

from features.config.sources import Source
from features.customers.pseudonyms import Customers
from features.intake.loading.accounts import addresses, noted_accounts, refuse_former_guests
from features.intake.loading.admission import Admitted, admitted
from features.intake.loading.day.news import News
from features.intake.loading.loaded import Loaded
from features.intake.loading.read_whole import joined_files
from features.intake.loading.sorted_rows import SortedRows, rows_of, sort_rows
from features.intake.own_ids import by_account
from features.intake.reading.databases.rows import DatabaseTable
from features.intake.reading.source_files import FileRead, ReadAnew
from features.intake.reading.sources import SourceRows, read_pieces, read_source, read_table
from features.shop.workspace import Workspace
from features.tables.declared import transactions
from features.tables.declared.transactions import CUSTOMER_EMAIL
from features.tables.table import CUSTOMER_ID, Events, States


class DaySources:
    """Reads `sources`, of which there are `news`; `anew` are the tables of which all is read."""

    def __init__(
        self,
        workspace: Workspace,
        sources: Sequence[Source],
        loaded: Loaded,
        news: Mapping[str, News],
        customers: Customers,
        notes: Path,
        now: datetime,
    ) -> None:
        self._workspace = workspace
        self._sources = sources
        self._loaded = loaded
        self._news = news
        self._customers = customers
        self._notes = notes
        self._now = now
        self.anew: set[str] = set()
        self.joined: dict[str, dict[str, FileRead]] = {}
        self._parts: dict[str, list[SortedRows]] = {}

    def read(self) -> None:
        """Read. Raises `ReadAnew` where everything has to be loaded, and `SourceError` where a
        source cannot be read.
        """
        for name in dict.fromkeys(source.table for source in self._sources):
            try:
                self._parts[name] = self._new(name)
            except ReadAnew as reason:
                self.read_anew(name, reason)

    def read_anew(self, name: str, reason: ReadAnew) -> None:
        """Read all of a table, for a `reason`, which is raised again where other tables are told
        by its rows.
        """
        if any(name in table.stated_in for table in self._workspace.tables.values()):
            raise reason
        self.anew.add(name)
        own = [source for source in self._sources if source.table == name]
        self._parts[name] = [self._all(source) for source in own]

    @property
    def parts(self) -> list[SortedRows]:
        """The rows of all sources of which any were read, by what becomes of them."""
        return [part for parts in self._parts.values() for part in parts]

    def of_table(self, name: str) -> list[SortedRows]:
        """Those of a table."""
        return self._parts.get(name, [])

    def rows(self, name: str) -> pd.DataFrame:
        """The rows that were kept of a customers' table, with the ids of their accounts."""
        found = rows_of(self.of_table(name), name, self._workspace.tables)
        return found if name == transactions.NAME else by_account(found, self._accounts_of(found))

    def taken(self) -> dict[str, Admitted]:
        """The rows that are taken in of the customers' tables of which all was read."""
        tables, catalog = self._workspace.tables, self._workspace.config.catalog
        return {
            name: admitted(self.rows(name), tables[name], self._customers, catalog, self._now)
            for name in sorted(self.anew & {*tables.personal})
        }

    def _new(self, name: str) -> list[SortedRows]:
        """What is new of a table. Raises `ReadAnew` where all of it has to be read."""
        own = [source for source in self._sources if source.table == name]
        if isinstance(self._workspace.tables[name], States):
            raise ReadAnew(f"rows of {name} are set against all orders")
        for source in own:
            if reason := self._news[source.name].anew:
                raise ReadAnew(reason)
        return [part for source in own if (part := self._part(source)) is not None]

    def _part(self, source: Source) -> SortedRows | None:
        """The new rows of a source; None where nothing is new."""
        workspace, tables = self._workspace, self._workspace.tables
        pieces, config = self._news[source.name].pieces, workspace.config
        table = self._newer(source)
        if not pieces and table is None:
            return None
        if not isinstance(tables[source.table], Events):
            raise ReadAnew(f"{source.name} has new rows of {source.table}")
        if table is not None:
            found = read_table(source, table, self._now, tables)
        else:
            found = read_pieces(source, pieces, workspace.root, self._now, tables)
        accounts = self._accounts(source, found)
        return sort_rows(found, source, tables, config.shop, config.catalog.ids, accounts)

    def _all(self, source: Source) -> SortedRows:
        workspace, config = self._workspace, self._workspace.config
        self.joined[source.name] = joined_files(source, workspace.root)
        found = read_source(source, workspace.root, self._now, workspace.tables)
        return sort_rows(found, source, workspace.tables, config.shop, config.catalog.ids)

    def _newer(self, source: Source) -> DatabaseTable | None:
        """The newer rows of a source that a database has; None where there are none.

        Raises `ReadAnew` where it cannot be asked for these alone.
        """
        before = self._loaded.sources[source.name].marked
        if source.url is None or before is None:
            return None
        whole = source.watermark is None or source.table not in self._events
        table = DatabaseTable(source, None if whole else before)
        if table.mark == before:
            return None
        if whole:
            raise ReadAnew(f"rows of {source.name} changed, and not all of them say when")
        return table

    @property
    def _events(self) -> frozenset[str]:
        tables = self._workspace.tables.items()
        return frozenset(name for name, table in tables if isinstance(table, Events))

    def _accounts(self, source: Source, found: SourceRows) -> dict[str, str]:
        """The accounts of the addresses in new order lines."""
        if source.table != transactions.NAME or CUSTOMER_EMAIL not in source.columns:
            return {}
        mails = addresses(found.rows)
        known = self._noted(mails, source)
        refuse_former_guests(found.rows, known, self._customers)
        for other in self._with_accounts:
            if other.name != source.name and self._noted(mails[~mails.isin(list(known))], other):
                raise ReadAnew("an address has accounts in two sources")
        return known

    def _noted(self, mails: pd.Series, source: Source) -> dict[str, str]:
        salt = self._loaded.salt
        return noted_accounts(mails, source.name, self._customers, salt, self._notes)

    @property
    def _with_accounts(self) -> list[Source]:
        own = (source for source in self._sources if source.table == transactions.NAME)
        return [source for source in own if CUSTOMER_EMAIL in source.columns]

    def _accounts_of(self, rows: pd.DataFrame) -> dict[str, str]:
        """The accounts of the customers whose ids are addresses; of several sources that state one
        the first has it.
        """
        if rows.empty:
            return {}
        mails = pd.Series([id.casefold() for id in rows[CUSTOMER_ID].unique()], dtype="object")
        read = {part.source.name: part.accounts for part in self.of_table(transactions.NAME)}
        found: dict[str, str] = {}
        for source in self._with_accounts:
            for known in (self._noted(mails, source), read.get(source.name, {})):
                found = {**known, **found}
        return found
