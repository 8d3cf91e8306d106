"""Folding: what the shop sent over HTTP goes into the warehouse beside the rows of its files, and
each purchase counts once.

An order that stands in a file is the file's, whenever its lines were sent one by one. An order that
was sent as a whole is newer than a file that was written before it, and older than one that was
written since.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from features import clock
from features.config.sources import Source
from features.customers.vault import Vault
from features.database.engine import Database
from features.events.arrivals import Arrival, Values, arrow_rows, each_once, read
from features.intake.purchases import netted
from features.intake.reading.containers import stamp_of
from features.intake.reading.source_files import files_of
from features.tables.declared import transactions
from features.tables.declared.transactions import ORDER_ID, ORDERED_AT
from features.tables.table import CUSTOMER, CUSTOMER_ID, RECORDED_AT, Events, Facts, States, Table
from features.tables.tables import Tables
from features.warehouse.arrow import arrow_table

BEGINNING = datetime.fromtimestamp(0, UTC)
Order = tuple[int, str]
"""A customer, and the number of an order."""


def arrived_since(database: Database, vault: Vault) -> list[Arrival]:
    """All that was sent and is still kept, in its order."""
    with database.read() as connection:
        return read(connection, vault)


def newest_files(
    sources: Sequence[Source], left_out: Collection[str], root: Path
) -> dict[str, datetime]:
    """When the newest file of each table was written."""
    newest: dict[str, datetime] = {}
    for source in sources:
        if source.name not in left_out and source.url is not None:
            newest[source.table] = datetime.now(UTC)  # its rows are those of this moment
        elif source.name not in left_out:
            stamps = [stamp_of(file) for file in files_of(source.file, root)]
            written = max((stamp[1] for stamp in stamps if stamp is not None), default=0)
            moment = datetime.fromtimestamp(written / 1e9, UTC)
            newest[source.table] = max(moment, newest.get(source.table, BEGINNING))
    return newest


class Sent:
    """All that `came`, beside files of which the newest of each table was written at `newest`."""

    def __init__(
        self, came: Sequence[Arrival], tables: Tables, newest: Mapping[str, datetime]
    ) -> None:
        self.came = came
        self._tables = tables
        self._newest = newest

    @cached_property
    def _counted(self) -> list[Arrival]:
        return each_once(self.came)

    @cached_property
    def names(self) -> frozenset[str]:
        """The tables of which anything was sent."""
        return frozenset(name for one in self._counted for name in (one.table, *one.content.rows))

    @property
    def until(self) -> int:
        """The number of the newest; 0 where nothing came."""
        return max((one.seq for one in self.came), default=0)

    def customers_since(self, seq: int) -> frozenset[int]:
        """Of whom anything came after that number."""
        return frozenset(
            one.customer for one in self.came if one.seq > seq and one.customer is not None
        )

    def folded(self, held: Mapping[str, pa.Table]) -> dict[str, pa.Table]:
        """The tables `held`, made of files, with what came."""
        return {**held, **{name: self.table(name, held.get(name)) for name in self.names}}

    def table(self, name: str, held: pa.Table | None) -> pa.Table:
        """A table that is `held`, made of files, with what came of it."""
        table = self._tables[name]
        if isinstance(table, Facts):
            return self._facts(held, table)
        if held is None:
            return self.rows(table).sort_by(RECORDED_AT)
        held, more = self.beside(held, table)
        together = pa.concat_tables([held, like(more, held.schema)])
        if not isinstance(table, States):
            return together.sort_by(RECORDED_AT)
        frame = newest_states(together.to_pandas())
        return arrow_table(frame.sort_values([CUSTOMER, RECORDED_AT], kind="stable"), table)

    def rows(self, table: Table) -> pa.Table:
        """The rows of a customers' table that came."""
        rows = [
            (row, one.customer)
            for one in self._counted
            for row in one.content.rows.get(table.name, ())
        ]
        more = arrow_rows([row for row, _ in rows], table, [whose for _, whose in rows])
        return _netted(more, self._counted) if table.name == transactions.NAME else more

    def beside(self, held: pa.Table, table: Table) -> tuple[pa.Table, pa.Table]:
        """The rows `held` of files in whose place nothing was sent, and those sent that are not
        among them. `held` needs no other columns than those that tell rows apart.
        """
        more = self.rows(table)
        if table.name == transactions.NAME:
            wholes = self._wholes(table)
            held = held.filter(pc.invert(_is_of(held, wholes))) if wholes else held
            more = more.filter(pc.invert(_is_of(more, _orders(held, more) - wholes)))
        elif isinstance(table, Events):
            more = _not_in(more, held, table)
        return held, more

    def displaces(self, lines: pa.Table) -> bool:
        """Whether an order that was sent as a whole stands in place of `lines` of files."""
        wholes = self._wholes(transactions.TABLE)
        return bool(wholes) and bool(pc.any(_is_of(lines, wholes)).as_py())

    def customers(self, table: Table) -> frozenset[int]:
        """Whose rows of a table came, or whose orders."""
        of_table = (one for one in self._counted if table.name in (one.table, *one.content.rows))
        return frozenset(one.customer for one in of_table if one.customer is not None)

    def _wholes(self, table: Table) -> set[Order]:
        """The orders that were sent as a whole, later than the newest file was written."""
        since = self._newest.get(table.name, BEGINNING)
        return {
            _order(one) for one in self._counted if one.content.whole and _received(one) > since
        }

    def _facts(self, held: pa.Table | None, table: Facts) -> pa.Table:
        """Things with what was sent of them later than the newest file was written; of what no file
        has all that was sent.
        """
        since = self._newest.get(table.name, BEGINNING)
        known: dict[str, Values] = {}
        if held is not None:
            known = {str(row[table.key]): row for row in held.to_pylist()}
        in_files = {*known}
        for one in self._counted:
            for row in one.content.rows.get(table.name, ()):
                key = str(row[table.key])
                if key not in in_files or _received(one) > since:
                    known[key] = {**known.get(key, {}), **row}
        frame = pd.DataFrame(
            [{name: row.get(name) for name in table.by_name} for row in known.values()]
        )
        named = frame[table.called]
        frame[table.called] = named.where(named.notna(), frame[table.key])
        return arrow_table(frame.sort_values(table.key), table)


def newest_states(rows: pd.DataFrame) -> pd.DataFrame:
    """Of the states that a customer got in one moment the last."""
    return rows.drop_duplicates([CUSTOMER, RECORDED_AT], keep="last")


def like(more: pa.Table, schema: pa.Schema) -> pa.Table:
    """Rows in the columns of others; what is for the next load alone is missing."""
    columns = [
        more[field.name] if field.name in more.column_names else pa.nulls(more.num_rows, field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)


def _netted(more: pa.Table, came: Sequence[Arrival]) -> pa.Table:
    """The purchases that came, without what was sent back of them."""
    back = [(row, one.customer) for one in came for row in one.content.back]
    if not back:
        return more
    table = transactions.TABLE
    taken = arrow_rows([row for row, _ in back], table, [whose for _, whose in back])
    purchases, returned = (
        part.to_pandas().assign(**{CUSTOMER_ID: lambda rows: rows[CUSTOMER].astype("str")})
        for part in (more, taken)
    )
    left = netted(purchases, returned.astype({ORDERED_AT: "datetime64[us]"}))
    return arrow_table(left[left[transactions.QUANTITY] > 0], table)


def _order(one: Arrival) -> Order:
    return one.customer or 0, one.content.whole or ""


def _is_of(rows: pa.Table, orders: Collection[Order]) -> pa.BooleanArray:
    """Which rows are of `orders`; looked at one by one are those that may be alone."""
    whose = pa.array(sorted({who for who, _ in orders}), pa.int64())
    numbers = pa.array(sorted({number for _, number in orders}), pa.string())
    may = pc.and_(pc.is_in(rows[CUSTOMER], whose), pc.is_in(rows[ORDER_ID], numbers))
    found = np.asarray(may.fill_null(fill_value=False)).astype(np.bool_)
    places = np.flatnonzero(found)
    some = rows.take(places)
    pairs = zip(some[CUSTOMER].to_pylist(), some[ORDER_ID].to_pylist(), strict=True)
    found[places] = [pair in orders for pair in pairs]
    return pa.array(found)


def _orders(rows: pa.Table, of: pa.Table) -> set[Order]:
    """The orders in `rows` of the customers who are in `of`."""
    some = _of_customers(rows, of)
    whose, numbers = some[CUSTOMER].to_pylist(), some[ORDER_ID].to_pylist()
    return {(who or 0, number or "") for who, number in zip(whose, numbers, strict=True)}


def _of_customers(rows: pa.Table, of: pa.Table) -> pa.Table:
    return rows.filter(pc.is_in(rows[CUSTOMER], of[CUSTOMER].combine_chunks().unique()))


def _not_in(more: pa.Table, held: pa.Table, table: Table) -> pa.Table:
    """The rows of `more` that are not in `held` already, as another file's are not."""
    columns = [CUSTOMER, *(column.name for column in table.columns if column.tells_apart)]
    known = pd.MultiIndex.from_frame(_of_customers(held, more).select(columns).to_pandas())
    new = ~pd.MultiIndex.from_frame(more.select(columns).to_pandas()).isin(known)
    return more.filter(pa.array(new))


def _received(one: Arrival) -> datetime:
    return clock.from_text(one.received_at)
