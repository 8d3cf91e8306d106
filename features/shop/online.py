"""Online features: each customer's newest feature row, ready to be answered from.

Rows come through the gate like all features, so they hold only what was granted when they were
made; an answer withholds from them what is no longer (`features.shop.withholding`). A consent event
removes the customer's row at once (see `features.consent.ledger`), and the next answer makes a new
one.
"""

from __future__ import annotations

import contextlib
import hashlib
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from functools import cached_property
from typing import cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sqlalchemy import BigInteger, Connection, bindparam, delete, func, insert, select

from features import clock
from features.catalog import Catalog
from features.clock import Clock
from features.consent.grants import Granted, granted_rows, grants, nobody, of_one
from features.customers.vault import PayloadGone, PayloadKey, Vault, opened_with
from features.database.engine import Database
from features.database.prepared import PreparedForMany
from features.database.tables import corrections, online_features
from features.definitions.definition import ShopFacts
from features.definitions.frames import (
    customer_frame,
    features_of_one,
    history_frame,
    is_of_history,
)
from features.events.arrivals import (
    arrived_of,
    customers_since,
    newest_moment,
    read,
    state_of,
)
from features.shop.corrections import put_right, read_corrections
from features.shop.shop import Shop
from features.tables.tables import Tables
from features.warehouse.gate import Gate, GateOfOne
from features.warehouse.own_rows import NOTHING_ARRIVED, Arrived, Loaded

Floats = NDArray[np.float64]
State = tuple[list[Granted], int, tuple[int, int], Loaded]
"""A customer's grants, how many corrections there are, which of their rows arrived, and which
tables are in use.
"""
MOST_TRIES = 3
NOBODY = nobody()
_SIZES = struct.Struct("<III")
BATCH = 2_000
CORRECTIONS_OF_ONE = (
    select(func.count())
    .select_from(corrections)
    .where(corrections.c.customer == bindparam("customer"))
)


@dataclass(frozen=True)
class Layout:
    """Names of the stored columns: of the customer, and of the history with each product."""

    customer: tuple[str, ...]
    history: tuple[str, ...]

    @classmethod
    def of(cls, features: Sequence[str]) -> Layout:
        """Features split into those of a customer and those of a history."""
        history = tuple(name for name in features if is_of_history(name))
        return cls(tuple(name for name in features if name not in history), history)

    @cached_property
    def digest(self) -> str:
        """Fingerprint of the names; a row under another one is made anew."""
        return hashlib.sha256("\n".join((*self.customer, "", *self.history)).encode()).hexdigest()


@dataclass(frozen=True)
class OnlineRow:
    """One customer's features: `customer` (features,) float64; `products` with `columns` (products,
    history features) float64.
    """

    as_of: str
    customer: Floats
    products: tuple[str, ...]
    columns: Floats

    @property
    def empty(self) -> bool:
        """Whether nothing at all is known."""
        return not self.products and bool(np.isnan(self.customer).all())

    def pack(self) -> bytes:
        """The row as bytes."""
        sizes = _SIZES.pack(len(self.customer), len(self.products), self.columns.shape[1])
        return (
            sizes
            + self.customer.tobytes()
            + self.columns.tobytes()
            + "\n".join(self.products).encode()
        )

    @classmethod
    def unpack(cls, as_of: str, content: bytes) -> OnlineRow:
        """The row that `pack` wrote."""
        width, count, wide = _SIZES.unpack_from(content)
        begin = _SIZES.size
        numbers = np.frombuffer(content, dtype=np.float64, count=width + count * wide, offset=begin)
        names = content[begin + numbers.nbytes :].decode()
        return cls(
            as_of,
            numbers[:width],
            tuple(names.split("\n")) if count else (),
            numbers[width:].reshape(count, wide),
        )


class OnlineStore:
    """Online features of one purpose.

    `gate_for` opens the gate for a purpose under grants, `loaded_until` is the moment that the
    warehouse speaks for, and `loaded` says which of its tables are in use.
    """

    def __init__(
        self,
        database: Database,
        vault: Vault,
        catalog: Catalog,
        gate_for: Callable[[str, pd.DataFrame], Gate],
        loaded_until: Callable[[], datetime],
        loaded: Callable[[], Loaded],
        tables: Tables,
        facts: ShopFacts,
        clock: Clock,
        too_young: Callable[[int], bool],
        purpose: str,
        features: Sequence[str],
    ) -> None:
        self._database = database
        self._vault = vault
        self._catalog = catalog
        self._gate_for = gate_for
        self._loaded_until = loaded_until
        self._loaded = loaded
        self._tables = tables
        self._facts = facts
        self._clock = clock
        self._too_young = too_young
        self.purpose = purpose
        self.layout = Layout.of(features)

    def read(self, connection: Connection, customer: int) -> OnlineRow | None:
        """The stored row, or None where there is none in this layout, or its key was destroyed."""
        return self._read(connection, [customer]).get(customer)

    def _read(self, connection: Connection, customers: Sequence[int]) -> dict[int, OnlineRow]:
        """The stored rows by customer."""
        named = {"purpose": self.purpose, "layout": self.layout.digest}
        stored = _STORED.rows(connection, customers, **named)
        keys = self._vault.keys(connection, [customer for customer, *_ in stored])
        rows = {}
        for customer, as_of, content in stored:
            with contextlib.suppress(PayloadGone):
                opened = opened_with(keys.get(customer), content, self._about(customer))
                rows[customer] = OnlineRow.unpack(as_of, opened)
        return rows

    def ready(self, customer: int) -> OnlineRow:
        """The customer's row: the stored one, else one made now."""
        return self.ready_all([customer])[customer]

    def ready_all(self, customers: Sequence[int]) -> dict[int, OnlineRow]:
        """The rows of customers: the stored ones, and others made now."""
        with self._database.read() as connection:
            rows = self._read(connection, customers)
        missing = [customer for customer in dict.fromkeys(customers) if customer not in rows]
        return {**rows, **self.make_all(missing)} if missing else rows

    def make_all(self, customers: Sequence[int]) -> dict[int, OnlineRow]:
        """Make the rows of some customers, each as `make` does."""
        return {customer: self.make(customer) for customer in customers}

    def make(self, customer: int) -> OnlineRow:
        """Make the row of one customer from the warehouse, and from what arrived since, under their
        grants, and keep it if these, and the data, still stand then.
        """
        row, before = self._made(customer)
        with self._database.write(durable=False) as connection:
            if self._state(connection, customer) == before:
                self._store(connection, {customer: row})
        return row

    def made_now(self, customer: int) -> OnlineRow:
        """The row of one customer as `make` makes it, not kept."""
        return self._made(customer)[0]

    def _made(self, customer: int) -> tuple[OnlineRow, State]:
        """A customer's row, and what it was made from."""
        for _ in range(MOST_TRIES):
            with self._database.read() as connection:
                before = self._state(connection, customer)
                arrived = self._arrived(connection, customer, before)
            gate = self._gate_for(self.purpose, NOBODY)
            counting = [] if self._too_young(customer) else before[0]
            door = gate.of_one(customer, arrived, of_one(counting))
            row = self._row(door, self._as_of(arrived))
            if self._loaded() == before[-1]:
                break
        return row, before

    def _state(self, connection: Connection, customer: int) -> State:
        """What a customer's row is made from."""
        now = clock.to_text(self._clock())
        granted = granted_rows(connection, self._catalog, self.purpose, now, customer)
        corrected, came = _corrections(connection, customer), state_of(connection, customer)
        return granted, corrected, came, self._loaded()

    def _arrived(self, connection: Connection, customer: int, state: State) -> Arrived:
        """A customer's rows that arrived since the warehouse was loaded, put right where they have
        said so.
        """
        _, corrected, (_, newest), (_, loaded) = state
        if newest <= loaded:
            return NOTHING_ARRIVED
        found = read(connection, self._vault, after=loaded, customer=customer)
        arrived = arrived_of(found, customer, self._tables)
        if not corrected:
            return arrived
        right = read_corrections(connection, self._vault, customer)
        return replace(arrived, rows=put_right(arrived.rows, right))

    def _as_of(self, arrived: Arrived) -> datetime:
        """The moment that a customer's row speaks for: the midnight after their newest record."""
        loaded = self._loaded_until()
        if (newest := newest_moment(arrived)) is None:
            return loaded
        return max(loaded, datetime.combine(newest, time()) + timedelta(days=1))

    def refresh(self) -> int:
        """Make the rows of all who granted anything, in place of those that were; how many."""
        with self._database.read() as connection:
            granted = self._grants(connection)
        gate = self._gate_for(self.purpose, granted)
        rows = self._rows(gate, gate.spine(self._loaded_until()))
        with self._database.write() as connection:
            changed = _changed(granted, self._grants(connection))
            changed |= customers_since(connection, self._loaded()[1])
            connection.execute(
                delete(online_features).where(online_features.c.purpose == self.purpose)
            )
            self._store(
                connection,
                {
                    customer: row
                    for customer, row in rows.items()
                    if not row.empty and customer not in changed
                },
            )
        return len(rows)

    def _row(self, door: GateOfOne, as_of: datetime) -> OnlineRow:
        layout = self.layout
        names = (*layout.customer, *layout.history)
        found = features_of_one(door, names, as_of, self._facts)
        return OnlineRow(
            clock.to_text(as_of),
            found.row(layout.customer),
            found.products,
            found.columns(layout.history),
        )

    def _rows(self, gate: Gate, spine: pd.DataFrame) -> dict[int, OnlineRow]:
        layout = self.layout
        known = customer_frame(gate, layout.customer, spine, self._facts)[
            list(layout.customer)
        ].to_numpy("float64")
        histories: dict[int, tuple[tuple[str, ...], Floats]] = {}
        if layout.history:
            bought = history_frame(gate, layout.history, spine, self._facts)
            for customer, part in bought.groupby("customer"):
                histories[cast("int", customer)] = (
                    tuple(part["product_id"]),
                    part[list(layout.history)].to_numpy("float64"),
                )
        nothing: tuple[tuple[str, ...], Floats] = ((), np.empty((0, len(layout.history))))
        rows = zip(spine["customer"].tolist(), spine["as_of"], known, strict=True)
        return {
            customer: OnlineRow(clock.to_text(as_of), features, *histories.get(customer, nothing))
            for customer, as_of, features in rows
        }

    def _grants(self, connection: Connection) -> pd.DataFrame:
        return grants(connection, self._catalog, self.purpose, clock.to_text(self._clock()))

    def _about(self, customer: int) -> str:
        return f"online:{self.purpose}:{customer}"

    def _store(self, connection: Connection, rows: dict[int, OnlineRow]) -> None:
        whose = list(rows)
        for start in range(0, len(whose), BATCH):
            batch = whose[start : start + BATCH]
            keys = self._vault.keys_for_sealing(connection, batch)
            column = online_features.c
            connection.execute(
                delete(online_features).where(
                    column.purpose == self.purpose, column.customer.in_(batch)
                )
            )
            connection.execute(
                insert(online_features),
                [self._stored(customer, rows[customer], keys[customer]) for customer in batch],
            )

    def _stored(self, customer: int, row: OnlineRow, key: PayloadKey) -> dict[str, object]:
        content = key.seal(row.pack(), self._about(customer))
        return {
            "customer": customer,
            "purpose": self.purpose,
            "as_of": row.as_of,
            "layout": self.layout.digest,
            "content": content,
        }


_STORED = PreparedForMany(
    lambda asked: select(
        online_features.c.customer, online_features.c.as_of, online_features.c.content
    ).where(
        online_features.c.customer.in_(asked),
        online_features.c.purpose == bindparam("purpose"),
        online_features.c.layout == bindparam("layout"),
    ),
    BigInteger(),
)


def _corrections(connection: Connection, customer: int) -> int:
    return int(connection.execute(CORRECTIONS_OF_ONE, {"customer": customer}).scalar_one())


def _changed(before: pd.DataFrame, after: pd.DataFrame) -> set[int]:
    """Customers whose grants are not the same in both."""
    both = before.merge(after, how="outer", on=list(before.columns), indicator=True)
    return set(both.loc[both["_merge"] != "both", "customer"].tolist())


def online_store(
    shop: Shop, purpose: str, features: Sequence[str], kind: type[OnlineStore] = OnlineStore
) -> OnlineStore:
    """The online features of one purpose of a shop."""
    return kind(
        shop.database,
        shop.vault,
        shop.config.catalog,
        shop.gate_for,
        shop.loaded_until,
        lambda: shop.warehouse.loaded,
        shop.workspace.tables,
        shop.facts,
        shop.clock,
        shop.minimum_age.withholds,
        purpose,
        features,
    )


def online_stores(shop: Shop) -> tuple[OnlineStore, OnlineStore]:
    """The online features of the churn and of the next-purchase model."""
    models = shop.config.models
    return (
        online_store(shop, models.churn.purpose, models.churn.features),
        online_store(shop, models.next_purchase.purpose, models.next_purchase.features),
    )


def refresh_online(shop: Shop) -> None:
    """Make all online features anew from what warehouse and ledger hold now."""
    for store in online_stores(shop):
        store.refresh()
