"""What was sealed for customers, copied before they were erased as a backup would have it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, select

from features.customers.vault import PayloadGone
from features.database.tables import (
    arrivals,
    corrections,
    decisions,
    evidence,
    online_features,
    payload_keys,
)
from features.shop.shop import Shop


@dataclass(frozen=True)
class Payload:
    """Something sealed: whose it is, the bytes, and what it is about."""

    customer: int
    content: bytes
    about: str


def payloads(shop: Shop, customers: Collection[int]) -> list[Payload]:
    """Everything that is sealed for these customers."""
    with shop.database.read() as connection:
        return [payload for payload in _all(connection) if payload.customer in customers]


def still_open(shop: Shop, copies: Collection[Payload]) -> int:
    """How many of them can be opened."""
    with shop.database.read() as connection:
        return sum(_opens(shop, connection, copy) for copy in copies)


def wrapped_keys(shop: Shop, customers: Collection[int]) -> list[bytes]:
    """The customers' keys as the database keeps them."""
    with shop.database.read() as connection:
        return [
            row.wrapped
            for row in connection.execute(select(payload_keys))
            if row.customer in customers
        ]


def _all(connection: Connection) -> Iterator[Payload]:
    for row in connection.execute(select(evidence)):
        yield Payload(row.customer, row.content, f"evidence:{row.seq}")
    for row in connection.execute(select(corrections)):
        yield Payload(row.customer, row.content, f"correction:{row.id}")
    for row in connection.execute(select(arrivals).where(arrivals.c.customer.is_not(None))):
        yield Payload(row.customer, row.content, f"arrival:{row.row_tag}")
    for row in connection.execute(select(online_features)):
        yield Payload(row.customer, row.content, f"online:{row.purpose}:{row.customer}")
    for row in connection.execute(select(decisions).where(decisions.c.content.is_not(None))):
        yield Payload(row.customer, row.content, f"decision:{row.id}")


def _opens(shop: Shop, connection: Connection, copy: Payload) -> bool:
    try:
        shop.vault.opened(connection, copy.customer, copy.content, copy.about)
    except PayloadGone:
        return False
    return True
