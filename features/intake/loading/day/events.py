"""A day's events of one table: which are taken in, what they change of those that are stored, and
what is past its retention by now.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa

from features.catalog import Catalog
from features.customers.pseudonyms import Customers
from features.intake.cleaning import TAKEN_BACK
from features.intake.loading.admission import ERASED, EXPIRED, days_kept, kept_since
from features.intake.loading.day.edits import Edits
from features.intake.loading.day.returns import (
    backs_of,
    of_source,
    refuse_doubtful,
    sold_units,
    taken_back,
    whose,
)
from features.intake.loading.loaded import Loaded
from features.intake.loading.seen import Hashes, Seen, hashes
from features.intake.loading.sorted_rows import SortedRows
from features.intake.loading.stored import FILE, ROW, SOLD, StoredRows, of_files
from features.intake.overlaps import in_a_later_export, in_an_earlier_file
from features.intake.reading.source_files import ReadAnew
from features.tables.declared import transactions
from features.tables.declared.transactions import (
    ORDER_DISCOUNT,
    ORDER_ID,
    ORDER_REFUND,
    QUANTITY,
    STATUS,
)
from features.tables.table import CUSTOMER, CUSTOMER_ID, RECORDED_AT, SOURCE, Events

Needs = Literal["none", "older", "all"]
"""None, those of customers of whom not all is newer, or all."""
OF_ORDERS = (STATUS, ORDER_DISCOUNT, ORDER_REFUND)
"""Columns for which all lines of an order are looked at together."""


@dataclass
class DayEvents:
    """What a day brings to a table of events.

    `parts` are the day's rows by what became of them in the end, `new` those taken in, `edits` what
    changes of the stored ones, `expired` the sources of rows that are past their retention now.
    `known` counts the stored rows of each customer concerned; `held` has these rows, but for those
    that were sent over HTTP, and for those of `fresh` customers, whose new rows are newer than all
    that is stored. `gone_back` are stored rows of which nothing is left, and `again` counts the
    orders that were counted under the same rule before, by source and rule.

    Of what was sent over HTTP the stored rows `sent_gone` go and those of `sent_new` come;
    `sent_orders` are the orders of the stored ones. `asked` are the customers of whom rows came or
    may change.
    """

    table: Events
    parts: list[SortedRows]
    new: pd.DataFrame
    edits: Edits
    expired: frozenset[str]
    held: pd.DataFrame
    known: dict[int, int]
    fresh: frozenset[int]
    left_out: Counter[str]
    again: dict[tuple[str, str], int] = field(default_factory=dict)
    gone_back: pd.DataFrame = field(default_factory=pd.DataFrame)
    sent_gone: pd.DataFrame = field(default_factory=pd.DataFrame)
    sent_new: pa.Table | None = None
    sent_orders: frozenset[str] = frozenset()
    asked: frozenset[int] = frozenset()

    @property
    def concerned(self) -> frozenset[int]:
        """Customers of whom rows of files came or went."""
        rows = [self.new[CUSTOMER], self.edits.gone[CUSTOMER]]
        return frozenset(int(one) for one in pd.concat(rows).unique())

    def left_of(self, customer: int) -> int:
        """How many stored rows a customer has left."""
        return self._left.get(customer, 0)

    @cached_property
    def _left(self) -> Counter[int]:
        left = Counter(self.known)
        for rows in (self.edits.gone, self.sent_gone):
            left.subtract(rows[CUSTOMER].tolist() if len(rows) else [])
        return left

    @property
    def changes(self) -> bool:
        """Whether any row comes, goes or changes."""
        of_files = len(self.new) + len(self.edits.gone) + len(self.edits.less)
        sent = len(self.sent_gone) + (0 if self.sent_new is None else self.sent_new.num_rows)
        return bool(of_files + sent)


class EventsDay:
    """Takes in a day's rows of a table of events; `needs` says which rows of customers concerned
    are needed to tell what they say of other tables.

    Raises `ReadAnew` where it is not certain that a load of everything came to the same.
    """

    def __init__(
        self,
        table: Events,
        stored: StoredRows,
        loaded: Loaded,
        catalog: Catalog,
        customers: Customers,
        seen: Seen,
        now: datetime,
        needs: Needs = "older",
    ) -> None:
        self._needs = needs
        self._table = table
        self._stored = stored
        self._loaded = loaded
        self._catalog = catalog
        self._customers = customers
        self._seen = seen
        self._now = now

    def take(self, parts: Sequence[SortedRows], rows: pd.DataFrame) -> DayEvents:
        """What becomes of the day's `parts` and of their `rows` that were kept."""
        lines = self._table.name == transactions.NAME
        if len(rows):
            self._refuse_overlaps(rows, lines=lines)
        again = self._refuse_seen(parts) if lines else {}
        limit = kept_since(self._table, self._catalog, self._now)
        expiring = self._expiring(limit)
        left_out: Counter[str] = Counter({EXPIRED: len(expiring)})
        young = self._young(parts, rows, limit, left_out)
        named = self._named(young, left_out)
        back = {part.source.name: self._backs(part) for part in parts} if lines else {}
        whole = _customers(expiring, *back.values())
        newer = self._is_newer(named)
        fresh = _customers(named[newer]) - whole - _customers(named[~newer])
        fresh = frozenset() if self._needs == "all" else fresh
        known = self._stored.rows_by_customer(_customers(named) | whole)
        wanted = frozenset[int]() if self._needs == "none" else (_customers(named) | whole) - fresh
        held = of_files(self._stored.of_customers(wanted))
        day = DayEvents(
            self._table,
            list(parts),
            named,
            Edits(expiring),
            frozenset(expiring[SOURCE]),
            held,
            known,
            fresh,
            left_out,
            again,
            asked=_customers(named) | whole,
        )
        for position in range(len(day.parts)) if lines else ():
            self._take_back(day, position, back[day.parts[position].source.name])
        return day

    def _refuse_overlaps(self, rows: pd.DataFrame, *, lines: bool) -> None:
        if lines and in_a_later_export(rows).any():
            raise ReadAnew("a file holds orders that another one has")
        if in_an_earlier_file(rows, self._table.content).any():
            raise ReadAnew("a file holds rows that another one has")
        until = self._loaded.until.get(self._table.name)
        if until is None:
            return
        late = rows[rows[self._table.happened_at] <= pd.Timestamp(until)]
        if late[ORDER_ID].isna().any() if lines else self._may_be_there(late):
            raise ReadAnew("a row is older than others and may be one of them")

    def _may_be_there(self, late: pd.DataFrame) -> bool:
        """Whether a row of files was there already that may be one of `late`."""
        if self._loaded.left_out.get(self._table.name, {}).get(EXPIRED):
            return len(late) > 0
        whose = self._customers.known(late[CUSTOMER_ID].unique())
        moment = self._table.happened_at
        stored = self._stored.of_customers(whose.values(), [CUSTOMER, moment, SOURCE])
        known = late[late[CUSTOMER_ID].isin(list(whose))]
        came = known[[moment]].assign(**{CUSTOMER: [whose[id] for id in known[CUSTOMER_ID]]})
        return len(came) > 0 and len(came.merge(of_files(stored), on=[CUSTOMER, moment])) > 0

    def _refuse_seen(self, parts: Sequence[SortedRows]) -> dict[tuple[str, str], int]:
        """How many of the day's orders were counted under the same rule before, by source and rule.

        Raises `ReadAnew` for orders that came before.
        """
        found: dict[tuple[str, str], int] = {}
        for part in parts:
            bought, aside = self._hashes(part.kept), self._hashes(part.aside)
            seen = self._seen.among(np.concatenate([bought, aside]))
            if seen["order"].isin(bought).any():
                raise ReadAnew("an order came before")
            own = seen[seen["source"] == part.source.name]
            if len(own) and {*OF_ORDERS} & part.source.columns.keys():
                raise ReadAnew("an order came before, and its lines are looked at together")
            for rule, rows in part.aside.groupby("rule"):
                told = own[own["rule"] == rule]["order"]
                found[part.source.name, str(rule)] = int(told.isin(self._hashes(rows)).sum())
        return found

    def _hashes(self, lines: pd.DataFrame) -> Hashes:
        return hashes(lines[ORDER_ID].dropna().drop_duplicates(), self._loaded.salt)

    def _expiring(self, limit: pd.Timestamp) -> pd.DataFrame:
        """Stored rows that are past their retention by now."""
        days = days_kept(self._table, self._catalog)
        if not days:
            raise ReadAnew(f"no field of {self._table.name} is kept")
        found = of_files(self._stored.before(limit.to_pydatetime()))
        since = kept_since(self._table, self._catalog, self._now) + pd.Timedelta(
            days=max(days) - min(days)
        )
        if since > limit and len(of_files(self._stored.before(since.to_pydatetime()))) > len(found):
            raise ReadAnew("a value is past its retention, and the rest of its row is not")
        return found

    def _young(
        self,
        parts: Sequence[SortedRows],
        rows: pd.DataFrame,
        limit: pd.Timestamp,
        left_out: Counter[str],
    ) -> pd.DataFrame:
        """The rows within their retention."""
        old = rows[RECORDED_AT] < limit if len(rows) else pd.Series(dtype=bool)
        if not old.any():
            return rows
        if any(len(backs_of(part)) for part in parts):
            raise ReadAnew("something came back, and a new row is past its retention")
        left_out[EXPIRED] += int(old.sum())
        return rows[~old]

    def _named(self, rows: pd.DataFrame, left_out: Counter[str]) -> pd.DataFrame:
        if rows.empty:
            return rows.assign(**{CUSTOMER: pd.Series(dtype="int64")})
        named = rows.assign(**{CUSTOMER: self._customers.assign(rows[CUSTOMER_ID])})
        erased = named[CUSTOMER].isna()
        left_out[ERASED] += int(erased.sum())
        return named[~erased].astype({CUSTOMER: "int64"})

    def _backs(self, part: SortedRows) -> pd.DataFrame:
        refuse_doubtful(part, self._loaded.sources[part.source.name])
        back = backs_of(part)
        return whose(back, self._customers.known(back[CUSTOMER_ID].unique()))

    def _is_newer(self, rows: pd.DataFrame) -> pd.Series:
        """Which rows were recorded after all that is stored."""
        last = self._stored.last_recorded
        moments = rows[RECORDED_AT].astype("datetime64[us]")
        return moments > (pd.Timestamp.min if last is None else pd.Timestamp(last))

    def _take_back(self, day: DayEvents, position: int, back: pd.DataFrame) -> None:
        """Net what came back in one source."""
        part = day.parts[position]
        name = part.source.name
        own = day.new[day.new[SOURCE] == name]
        if len(back):
            before = self._loaded.sources[name]
            found = taken_back(own, back, of_source(day.held, name), before)
            own = found.bought
            gone = found.stored[found.stored[QUANTITY] <= 0]
            day.edits.less = pd.concat([day.edits.less, found.stored])
            every = pd.concat([day.edits.gone, gone])
            day.edits.gone = every.drop_duplicates([FILE, ROW])
            day.left_out[EXPIRED] -= len(every) - len(day.edits.gone)
            day.gone_back = pd.concat([day.gone_back, gone])
        if own.empty:
            return
        none = own[QUANTITY] <= 0
        own = own.assign(**{SOLD: sold_units(own)})
        day.new = pd.concat([day.new[day.new[SOURCE] != name], own[~none]])
        if none.any():
            aside = own[none].drop(columns=[CUSTOMER, SOURCE, SOLD]).assign(rule=TAKEN_BACK)
            day.parts[position] = replace(part, aside=pd.concat([part.aside, aside]))


def _customers(*rows: pd.DataFrame) -> frozenset[int]:
    return frozenset(int(one) for its in rows for one in its[CUSTOMER].unique())
