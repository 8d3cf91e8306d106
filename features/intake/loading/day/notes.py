"""What a load of a day notes for the next one: what the load before noted, and what is new."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from features.intake.cleaning import TAKEN_BACK
from features.intake.ingest_report import Counted, kinds_in
from features.intake.interaction_kinds import KIND_COLUMNS, stored_kinds
from features.intake.loading.admission import EXPIRED, Admitted
from features.intake.loading.day.events import DayEvents
from features.intake.loading.day.news import News
from features.intake.loading.day.returns import backs_of
from features.intake.loading.day.sent import DaySent, without
from features.intake.loading.loaded import Loaded, LoadedSource, added
from features.intake.loading.made import newest, together
from features.intake.loading.read_whole import read_whole
from features.intake.loading.seen import Seen, hashes
from features.intake.loading.sorted_rows import SortedRows
from features.intake.loading.stored import StoredRows, filed_rows, of_files
from features.intake.reading.source_files import FileRead, ReadAnew
from features.intake.warehouse_tables import filled
from features.shop.workspace import Workspace
from features.tables.declared import interactions, transactions
from features.tables.declared.interactions import KIND, KINDS
from features.tables.declared.transactions import ORDER_ID
from features.tables.table import CUSTOMER, SOURCE
from features.warehouse.parts import by_table
from features.warehouse.store import Warehouse


class Noted:
    """Goes on with what was `loaded` before into `warehouse`, beside tables that were read `anew`
    and what was `sent` over HTTP.
    """

    def __init__(
        self,
        loaded: Loaded,
        warehouse: Warehouse,
        anew: Mapping[str, Admitted],
        joined: Mapping[str, Mapping[str, FileRead]],
        sent: DaySent,
        seen: Seen,
        workspace: Workspace,
        now: datetime,
    ) -> None:
        self._loaded = loaded
        self._warehouse = warehouse
        self._anew = anew
        self._joined = joined
        self._sent = sent
        self._seen = seen
        self._root = workspace.root
        self._tables = workspace.tables
        self._now = now

    def after(
        self, news: Mapping[str, News], parts: Sequence[SortedRows], days: Mapping[str, DayEvents]
    ) -> Loaded:
        """The notes once the day's `parts` are in, whose events make the `days`, by table.

        Raises `ReadAnew` where the warehouse holds more than was noted.
        """
        lost = self._lost(days)
        orders, customers, shared = self._counted(days[transactions.NAME])
        by_name = {part.source.name: part for part in parts}
        return replace(
            self._loaded,
            made_at=self._now,
            sources={
                name: self._source(name, news[name], by_name.get(name), days, lost)
                for name in self._loaded.sources
            },
            until=self._until(days),
            left_out=self._left_out(days, lost),
            orders=orders,
            customers=customers,
            shared_orders=shared,
            over_http=len(self._sent.sent.came),
            interactions=self._kinds(days.get(interactions.NAME), lost),
        )

    def _left_out(
        self, days: Mapping[str, DayEvents], lost: Mapping[str, int]
    ) -> dict[str, dict[str, int]]:
        found = {name: Counter(rows) for name, rows in self._loaded.left_out.items()}
        for name, day in days.items():
            found[name].update(day.left_out)
            found[name][EXPIRED] += lost[name]
        return {
            name: dict(self._anew[name].left_out if name in self._anew else rows)
            for name, rows in found.items()
        }

    def _until(self, days: Mapping[str, DayEvents]) -> dict[str, datetime]:
        until = {name: last for name, last in self._loaded.until.items() if name not in self._anew}
        rows = {name: day.new for name, day in days.items()}
        rows |= {name: taken.rows for name, taken in self._anew.items()}
        for name, new in rows.items():
            if (last := newest(new, self._tables[name])) is not None:
                until[name] = max(until.get(name, last), last)
        return until

    def _kinds(self, day: DayEvents | None, lost: Mapping[str, int]) -> dict[str, int]:
        """How many interactions of files there are of each kind."""
        if interactions.NAME in self._anew:
            return kinds_in(self._anew[interactions.NAME].rows)
        if day is None:
            return dict(self._loaded.interactions)
        found = Counter(self._loaded.interactions)
        if lost[day.table.name]:
            parts = self._warehouse.files(day.table.name)
            rows = [pq.read_table(file, columns=[*KIND_COLUMNS, SOURCE]) for file in parts]
            found = Counter(stored_kinds(of_files(pa.concat_tables(rows).to_pandas())))
        found.subtract(stored_kinds(day.edits.gone) if len(day.edits.gone) else [])
        found.update(day.new[KIND].tolist() if len(day.new) else [])
        return {kind: found[kind] for kind in KINDS if found[kind]}

    def gone_back(self, day: DayEvents) -> pd.DataFrame:
        """The orders of stored lines of which everything came back: source, rule, order."""
        told = day.gone_back.dropna(subset=[ORDER_ID]) if len(day.gone_back) else None
        if told is None or told.empty:
            return pd.DataFrame(columns=["source", "rule", "order"])
        orders = hashes(told[ORDER_ID], self._loaded.salt)
        rows = {"source": told[SOURCE].to_numpy(), "rule": TAKEN_BACK, "order": orders}
        return pd.DataFrame(rows).drop_duplicates()

    def _lost(self, days: Mapping[str, DayEvents]) -> dict[str, int]:
        """How many rows of each table upkeep deleted since."""
        lost = {}
        for name in days:
            files = {name: self._warehouse.files(name)}
            held = filed_rows(files, sent=self._loaded.over_http > 0)[name]
            lost[name] = self._loaded.lines[name] - held
            if lost[name] < 0:
                raise ReadAnew(f"{name} holds more than was loaded")
        return lost

    def stored(self, loaded: Loaded, generation: Path) -> Loaded:
        """The notes with what the parts of the new generation come to."""
        files = by_table(generation)
        parts = StoredRows(files[transactions.NAME]).figures(loaded.parts)
        return replace(loaded, parts=parts, lines=filed_rows(files, sent=loaded.over_http > 0))

    def _counted(self, day: DayEvents) -> tuple[int, int, bool]:
        """How many orders and customers there are with those of the day, and whether an order's
        number may be of several customers.
        """
        stored = StoredRows(self._warehouse.files(transactions.NAME))
        loaded = self._loaded
        orders, customers, shared = loaded.orders, loaded.customers, loaded.shared_orders
        if stored.figures(self._loaded.parts) != self._loaded.parts:  # something was changed since
            (orders, shared), customers = stored.orders(), stored.customers()
        if not day.changes:
            return orders, customers, shared
        gone = together([day.edits.gone, day.sent_gone], day.edits.gone)
        numbers, whose = _orders_and_customers(day)
        asked = frozenset(gone[ORDER_ID].dropna()) | _sent_numbers(day)
        asked |= day.sent_orders & numbers
        shared |= self._sent.any or _are_shared(day)
        if shared:
            here = stored.of_orders(asked) if asked else gone[:0]
        else:  # all rows of who gave something back are there
            here = day.held[day.held[ORDER_ID].isin(asked)]
        stays = frozenset(without(here, gone)[ORDER_ID]) if len(here) else frozenset()
        orders += len(numbers - stays) - len(frozenset(here[ORDER_ID]) - stays if len(here) else ())
        customers -= sum(not day.left_of(one) for one in set(gone[CUSTOMER].tolist()))
        customers += sum(not day.left_of(one) for one in whose)
        return orders, customers, shared

    def _source(
        self,
        name: str,
        news: News,
        part: SortedRows | None,
        days: Mapping[str, DayEvents],
        lost: Mapping[str, int],
    ) -> LoadedSource:
        before = self._loaded.sources[name]
        day = None if part is None else days.get(part.table.name)
        if part is not None and day is None:
            taken = self._anew.get(part.table.name, Admitted(part.kept, {}))
            return read_whole(part, taken, self._joined[name], self._root)
        read = {**news.files, **({} if part is None else part.found.files)}
        same = replace(
            before,
            files={file: read[file] for file in news.order if file in read},
            copies=news.copies,
            expired=before.expired
            or any(lost.values())
            or any(name in day.expired for day in days.values()),
        )
        return same if part is None or day is None else self._grown(same, part, day)

    def _grown(self, before: LoadedSource, part: SortedRows, day: DayEvents) -> LoadedSource:
        name = part.source.name
        own = next(one for one in day.parts if one.source.name == name)
        gone = day.gone_back[day.gone_back[SOURCE] == name] if len(day.gone_back) else None
        set_aside, by_status = Counter(before.set_aside), own.by_status
        set_aside.update(own.set_aside)
        again = {rule: count for (source, rule), count in day.again.items() if source == name}
        if gone is not None and len(gone):
            set_aside[TAKEN_BACK] += len(gone)
            orders = int(gone[ORDER_ID].nunique())
            by_status = added(by_status, {TAKEN_BACK: Counted(len(gone), orders)}, {})
            again[TAKEN_BACK] = again.get(TAKEN_BACK, 0) + self._again(day, name)
        moments = (before.awaited, part.found.awaited)
        awaited = [moment for moment in moments if moment is not None]
        backs = [before.last_back, newest(backs_of(part), part.table)]
        return replace(
            before,
            read=before.read + part.read,
            rejected=before.rejected + len(part.rejected),
            set_aside=dict(set_aside),
            by_status=added(before.by_status, by_status, again),
            currencies=dict(Counter(before.currencies) + Counter(part.currencies)),
            last_back=max((moment for moment in backs if moment is not None), default=None),
            awaited=min(awaited, default=None),
            marked=None if part.found.table is None else part.found.table.mark,
        )

    def _again(self, day: DayEvents, source: str) -> int:
        """How many orders, of which stored lines are gone now, had lines that were gone before."""
        gone = self.gone_back(day)
        own = gone[gone["source"] == source]["order"].to_numpy(dtype="uint64")
        seen = self._seen.among(own)
        mine = (seen["source"] == source) & (seen["rule"] == TAKEN_BACK)
        return int(seen[mine]["order"].nunique())


def _orders_and_customers(day: DayEvents) -> tuple[frozenset[str], frozenset[int]]:
    """The orders of the rows that come, and whose they are."""
    numbers, whose = _sent_numbers(day), frozenset[int]()
    if day.sent_new is not None:
        whose = frozenset(day.sent_new[CUSTOMER].to_numpy().tolist())
    if day.new.empty:
        return numbers, whose
    if_empty = transactions.TABLE.by_name[ORDER_ID].if_empty
    own = day.new[ORDER_ID] if if_empty is None else filled(day.new, ORDER_ID, if_empty)
    return numbers.union(own.dropna()), whose.union(day.new[CUSTOMER].tolist())


def _are_shared(day: DayEvents) -> bool:
    """Whether new rows of two customers have an order of the same number."""
    if day.new.empty:
        return False
    both = day.new[[ORDER_ID, CUSTOMER]].dropna().drop_duplicates()
    return bool(both[ORDER_ID].duplicated().any())


def _sent_numbers(day: DayEvents) -> frozenset[str]:
    """The orders of the rows that come and were sent over HTTP."""
    if day.sent_new is None:
        return frozenset()
    return frozenset(number for number in day.sent_new[ORDER_ID].to_pylist() if number is not None)
