"""Arrivals: rows of the warehouse's tables that the shop sent over HTTP.

They are kept in the database, a customer's sealed with that customer's key, and count from the
moment they are there: the gate sees them beside the warehouse's rows of the one customer. The next
load takes them into the warehouse like one more source; it keeps with the tables how far it has
come, so that no row is lost or counted twice whenever it is cut off.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

import pyarrow as pa
from sqlalchemy import Connection, bindparam, delete, func, insert, or_, select

from features.customers.pseudonyms import kept, merged_numbers, numbers_of
from features.customers.vault import PayloadGone, Vault
from features.database.engine import Database
from features.database.tables import arrivals, merged_customers, online_features
from features.tables.declared import transactions
from features.tables.declared.transactions import ORDER_ID
from features.tables.table import CUSTOMER, RECORDED_AT, SOURCE, Table
from features.tables.tables import Tables
from features.warehouse.arrow import schema_of
from features.warehouse.own_rows import OVER_HTTP, Arrived

ROW, BODY, ABOUT = "arrival", "arrival's body", "arrival"
BATCH = 1_000
_MERGED = select(merged_customers.c.customer).where(
    merged_customers.c.kept == bindparam("customer")
)
NEWEST_OF_ONE = select(func.count(), func.max(arrivals.c.seq)).where(
    or_(arrivals.c.customer == bindparam("customer"), arrivals.c.customer.in_(_MERGED))
)
Values = Mapping[str, Any]
"""A row of one table, its moments as ISO 8601."""


Seen = Callable[[str, Values], Values | None]
"""What may be seen of a row of a table, named before it; None for nothing."""


@dataclass(frozen=True)
class Content:
    """What arrived: rows by table as the warehouse keeps them, and those that take back what was
    bought before (`back`).

    `whole` names the order that it states as a whole, in place of all that was known of it.
    """

    rows: Mapping[str, Sequence[Values]] = field(default_factory=dict)
    back: Sequence[Values] = ()
    whole: str | None = None


@dataclass(frozen=True)
class Sent:
    """Something on its way in: the shop's `id` of it, what exactly was said (`body`), and what of
    it is kept. A later `version` of one with the same id takes its place.
    """

    id: str
    table: str
    body: str
    customer: int | None
    content: Content
    version: str | None = None


@dataclass(frozen=True)
class Arrival:
    """Something that arrived, as it is kept."""

    seq: int
    table: str
    customer: int | None
    received_at: str
    content: Content


@dataclass(frozen=True)
class Before:
    """What is known of an id from before."""

    seq: int
    body_tag: str
    version: str | None


class Tags:
    """What stands for the ids and bodies of several, within a transaction that writes."""

    def __init__(self, connection: Connection, vault: Vault, sent: Collection[Sent]) -> None:
        named = {one.id: f"{one.table}\n{one.id}" for one in sent}
        ids = vault.tags(connection, ROW, set(named.values()))
        bodies = vault.tags(connection, BODY, {one.body for one in sent})
        self.of_id = {id: ids[name] for id, name in named.items()}
        self.of_body = bodies

    def before(self, connection: Connection) -> dict[str, Before]:
        """What is known of these ids from before, by tag."""
        wanted, found = list(self.of_id.values()), dict[str, Before]()
        for start in range(0, len(wanted), BATCH):
            column = arrivals.c
            query = select(column.row_tag, column.seq, column.body_tag, column.version).where(
                column.row_tag.in_(wanted[start : start + BATCH])
            )
            for row in connection.execute(query):
                found[row.row_tag] = Before(row.seq, row.body_tag, row.version)
        return found


def keep(
    connection: Connection,
    vault: Vault,
    tags: Tags,
    sent: Sequence[Sent],
    now: str,
    actor: str | None,
) -> None:
    """Keep what was sent, within a transaction that writes; what is there under the same ids gives
    way, and so do the stored features of whose rows they are.
    """
    whose = sorted({one.customer for one in sent if one.customer is not None})
    keys = vault.keys_for_sealing(connection, whose) if whose else {}
    nobody = vault.key(connection, None)
    rows = [
        {
            "table_name": one.table,
            "row_tag": tags.of_id[one.id],
            "body_tag": tags.of_body[one.body],
            "version": one.version,
            "customer": one.customer,
            "content": (nobody if one.customer is None else keys[one.customer]).seal(
                _packed(one.content), _about(tags.of_id[one.id])
            ),
            "received_at": now,
            "actor": actor,
        }
        for one in sent
    ]
    for start in range(0, len(rows), BATCH):
        part = rows[start : start + BATCH]
        replaced = arrivals.c.row_tag.in_([row["row_tag"] for row in part])
        connection.execute(delete(arrivals).where(replaced))
        connection.execute(insert(arrivals), part)
    for start in range(0, len(whose), BATCH):
        part_of = online_features.c.customer.in_(whose[start : start + BATCH])
        connection.execute(delete(online_features).where(part_of))


def hand_over(
    connection: Connection, vault: Vault, visitor: int, customer: int, seen: Seen
) -> tuple[int, int]:
    """Make what a visitor's rows let be `seen` the customer's, within a transaction that writes;
    the rest is deleted. Returns how many came along and how many were deleted.

    They come as if they had arrived now, so that the next load takes them as the customer's.
    """
    whose = arrivals.c.customer.in_(numbers_of(connection, visitor))
    came = connection.execute(select(arrivals).where(whose).order_by(arrivals.c.seq)).mappings()
    rows, key = [], vault.key(connection, customer)
    for row in (found := came.all()):
        about = _about(row["row_tag"])
        with contextlib.suppress(PayloadGone):
            content = Content(
                **json.loads(vault.opened(connection, row["customer"], row["content"], about))
            )
            kept = {
                name: visible
                for name, values in content.rows.items()
                if (visible := [may for one in values if (may := seen(name, one)) is not None])
            }
            if kept:
                sealed = key.seal(_packed(Content(kept, whole=content.whole)), about)
                changed = {**row, "customer": customer, "content": sealed}
                rows.append({name: value for name, value in changed.items() if name != "seq"})
    connection.execute(delete(arrivals).where(whose))
    if rows:
        connection.execute(insert(arrivals), rows)
    return len(rows), len(found) - len(rows)


def visible(table: Table, values: Values, may: Callable[[str], bool]) -> dict[str, Any] | None:
    """A row without the cells of columns that `may` not be seen; None where nothing of it is
    left.
    """
    hidden = {column for column in table.by_name if not may(column)}
    left = {column: value for column, value in values.items() if column not in hidden}
    return left if left.keys() & table.by_name.keys() else None


def state_of(connection: Connection, customer: int) -> tuple[int, int]:
    """How many rows of a customer are kept, and the number of the newest: two states that are alike
    hold the same.
    """
    count, newest = connection.execute(NEWEST_OF_ONE, {"customer": customer}).one()
    return int(count), int(newest or 0)


def newest(connection: Connection, table: str) -> int:
    """The number of the newest row of a table; 0 where there is none."""
    query = select(func.max(arrivals.c.seq)).where(arrivals.c.table_name == table)
    return int(connection.execute(query).scalar() or 0)


def anything_arrived(database: Database) -> bool:
    """Whether any row was sent that is still kept."""
    with database.read() as connection:
        return connection.execute(select(arrivals.c.seq).limit(1)).first() is not None


def customers_since(connection: Connection, after: int) -> frozenset[int]:
    """Whose rows came after the number `after`."""
    column = arrivals.c
    query = select(column.customer).where(column.seq > after, column.customer.is_not(None))
    found = connection.execute(query.distinct()).scalars()
    merged = merged_numbers(connection)
    return frozenset(merged.get(number, number) for number in found)


def forget_old(connection: Connection, table: str, before: str) -> int:
    """Delete what came before that moment, within a transaction that writes; how many."""
    column = arrivals.c
    old = delete(arrivals).where(column.table_name == table, column.received_at < before)
    return int(connection.execute(old).rowcount)


def read(
    connection: Connection,
    vault: Vault,
    *,
    after: int = 0,
    customer: int | None = None,
    table: str | None = None,
) -> list[Arrival]:
    """What arrived after the number `after`, in its order: all, or that of one customer or table.
    What was sealed with a key that is gone is left out.
    """
    query = select(arrivals).where(arrivals.c.seq > after).order_by(arrivals.c.seq)
    if customer is not None:
        query = query.where(arrivals.c.customer.in_(numbers_of(connection, customer)))
    if table is not None:
        query = query.where(arrivals.c.table_name == table)
    rows = connection.execute(query).all()
    owners = {row.customer for row in rows if row.customer is not None}
    keys = vault.keys(connection, owners)
    found = []
    for row in rows:
        about = _about(row.row_tag)
        try:
            if row.customer is None:
                packed = vault.opened(connection, None, row.content, about)
            elif row.customer in keys:
                packed = keys[row.customer].open(row.content, about)
            else:
                continue
        except PayloadGone:
            continue
        whose = None if row.customer is None else kept(connection, row.customer)
        content = Content(**json.loads(packed))
        found.append(Arrival(row.seq, row.table_name, whose, row.received_at, content))
    return found


def each_once(came: Sequence[Arrival]) -> list[Arrival]:
    """What came, without lines of orders that were stated as a whole later."""
    stated = {(one.customer, one.content.whole): one.seq for one in came if one.content.whole}

    def stands(one: Arrival) -> bool:
        orders = {str(row.get(ORDER_ID)) for row in one.content.rows.get(transactions.NAME, ())}
        restated = (stated.get((one.customer, order), 0) for order in orders)
        return one.content.whole is not None or all(seq < one.seq for seq in restated)

    return [one for one in came if stands(one)]


def arrived_of(found: Sequence[Arrival], customer: int, tables: Tables) -> Arrived:
    """A customer's arrivals as the gate takes them."""
    wholes = frozenset(one.content.whole for one in found if one.content.whole is not None)
    rows: dict[str, list[Values]] = {}
    for one in each_once(found):
        for name, values in one.content.rows.items():
            rows.setdefault(name, []).extend(values)
    made = {
        name: arrow_rows(values, tables[name], customer)
        for name, values in rows.items()
        if name in tables
    }
    return Arrived(made, wholes)


def arrow_rows(
    rows: Sequence[Values], table: Table, whose: int | Sequence[int | None] | None
) -> pa.Table:
    """Rows of a table in the warehouse's types; `whose` they all are, or each is."""
    schema = schema_of(table)
    customers = whose if isinstance(whose, Sequence) else [whose] * len(rows)
    columns = {}
    for column in schema:
        values: list[Any] = [row.get(column.name) for row in rows]
        if column.name == SOURCE:
            values = [OVER_HTTP] * len(rows)
        elif column.name == CUSTOMER:
            values = list(customers)
        elif pa.types.is_timestamp(column.type):
            values = [None if said is None else datetime.fromisoformat(said) for said in values]
        columns[column.name] = pa.array(values, column.type)
    return pa.table(columns)


def newest_moment(arrived: Arrived) -> datetime | None:
    """When the newest of the rows was recorded; None where there are none."""
    moments = [
        moment
        for rows in arrived.rows.values()
        if RECORDED_AT in rows.column_names
        for moment in rows[RECORDED_AT].to_pylist()
        if moment is not None
    ]
    return max(moments, default=None)


def _packed(content: Content) -> bytes:
    return json.dumps(asdict(content), ensure_ascii=False, separators=(",", ":")).encode()


def _about(tag: str) -> str:
    return f"{ABOUT}:{tag}"
