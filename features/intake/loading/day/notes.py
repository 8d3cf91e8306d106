"""What a load of a day notes for the next one: what the load before noted, and what is new."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pandas as pd

from features.intake.cleaning import TAKEN_BACK
from features.intake.ingest_report import Counted
from features.intake.loading.admission import EXPIRED
from features.intake.loading.day.events import DayEvents
from features.intake.loading.day.news import News
from features.intake.loading.day.returns import backs_of
from features.intake.loading.loaded import Loaded, LoadedSource, added
from features.intake.loading.made import newest
from features.intake.loading.seen import Seen, hashes
from features.intake.loading.sorted_rows import SortedRows
from features.intake.loading.stored import FILE, ROW, StoredRows
from features.intake.reading.source_files import ReadAnew
from features.tables.declared import transactions
from features.tables.declared.transactions import ORDER_ID
from features.tables.table import CUSTOMER, SOURCE, Facts
from features.warehouse.parts import by_table
from features.warehouse.store import Warehouse


class Noted:
    """Goes on with what was `loaded` before into `warehouse`."""

    def __init__(self, loaded: Loaded, warehouse: Warehouse, now: datetime) -> None:
        self._loaded = loaded
        self._warehouse = warehouse
        self._now = now

    def after(
        self, news: Mapping[str, News], parts: Sequence[SortedRows], days: Mapping[str, DayEvents]
    ) -> Loaded:
        """The notes once the day's `parts` are in, whose events make the `days`, by table.

        Raises `ReadAnew` where the warehouse holds more than was noted.
        """
        left_out, lost = Counter(self._loaded.left_out), self._lost(days)
        until = dict(self._loaded.until)
        for name, day in days.items():
            left_out.update(day.left_out)
            left_out[EXPIRED] += lost[name]
            if (last := newest(day.new, day.table)) is not None:
                until[name] = max(until.get(name, last), last)
        orders, customers = self._counted(days.get(transactions.NAME))
        by_name = {part.source.name: part for part in parts}
        return replace(
            self._loaded,
            made_at=self._now,
            sources={
                name: self._source(name, news[name], by_name.get(name), days, lost)
                for name in self._loaded.sources
            },
            until=until,
            left_out=dict(left_out),
            orders=orders,
            customers=customers,
        )

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
            held = StoredRows(self._warehouse.files(name)).rows
            lost[name] = self._loaded.lines[name] - held
            if lost[name] < 0:
                raise ReadAnew(f"{name} holds more than was loaded")
        return lost

    def stored(self, loaded: Loaded, generation: Path) -> Loaded:
        """The notes with what the parts of the new generation come to."""
        files = by_table(generation)
        parts = StoredRows(files[transactions.NAME]).figures(loaded.parts)
        lines = {name: StoredRows(own).rows for name, own in files.items() if name in loaded.until}
        return replace(loaded, parts=parts, lines={**loaded.lines, **lines})

    def _counted(self, day: DayEvents | None) -> tuple[int, int]:
        """How many orders and customers there are with those of the day."""
        stored = StoredRows(self._warehouse.files(transactions.NAME))
        orders, customers = self._loaded.orders, self._loaded.customers
        if stored.figures(self._loaded.parts) != self._loaded.parts:  # something was changed since
            orders, customers = stored.orders(), stored.customers()
        if day is None or not day.changes:
            return orders, customers
        gone, new = day.edits.gone, day.new
        if len(gone):
            concerned = stored.of_orders(gone[ORDER_ID].dropna().unique())
            both = pd.MultiIndex.from_frame(gone[[FILE, ROW]])
            stays = ~pd.MultiIndex.from_frame(concerned[[FILE, ROW]]).isin(both)
            orders -= len(set(concerned[ORDER_ID]) - set(concerned[stays][ORDER_ID]))
            left = Counter(day.known)
            left.subtract(gone[CUSTOMER].tolist())
            customers -= sum(not left[one] for one in set(gone[CUSTOMER].tolist()))
        if len(new):
            numbered = new[ORDER_ID].notna()
            moments = new[~numbered].drop_duplicates([CUSTOMER, transactions.ORDERED_AT])
            orders += int(new.loc[numbered, ORDER_ID].nunique()) + len(moments)
            customers += sum(not day.left_of(one) for one in set(new[CUSTOMER].tolist()))
        return orders, customers

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
        fresh = part is not None and isinstance(part.table, Facts)
        if part is not None and fresh:
            return LoadedSource(
                files=part.found.files,
                copies=part.found.copies,
                joined=before.joined,
                read=part.read,
                rejected=len(part.rejected),
                marked=None if part.found.table is None else part.found.table.mark,
            )
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
        seen = Seen.of(self._warehouse.notes).among(own)
        mine = (seen["source"] == source) & (seen["rule"] == TAKEN_BACK)
        return int(seen[mine]["order"].nunique())
