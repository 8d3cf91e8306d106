"""Links and sessions that were revoked: one by its id, or all that a customer or a key got so far.

A row is kept as long as the longest-lived link could still be good, so there is no end of them only
while somebody keeps revoking.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, and_, delete, or_, select

from features import clock
from features.clock import Clock, utc_now
from features.database.engine import Database, upsert
from features.database.tables import revocations
from serving.access.signed_links import LIFE


class Revoked(StrEnum):
    """What a revocation is about."""

    LINK = "link"
    CUSTOMER = "customer"
    KEY = "key"
    SESSION = "session"


class Revocations:
    """The revocations of one database."""

    def __init__(self, database: Database, clock: Clock = utc_now) -> None:
        self._database = database
        self._clock = clock

    def revoke(self, kind: Revoked, value: str) -> None:
        """Revoke it from now on; durable once this returns."""
        with self._database.write() as connection:
            write(connection, kind, value, clock.to_text(self._clock()))

    def is_revoked(self, kind: Revoked, value: str, issued_at: datetime) -> bool:
        """Whether what was issued then is revoked."""
        with self._database.read() as connection:
            return stands_against(connection, {kind: value}, issued_at)

    def forget_old(self) -> int:
        """Delete revocations of what has long expired by itself; how many there were."""
        limit = clock.to_text(self._clock() - max(LIFE.values()))
        with self._database.write() as connection:
            old = delete(revocations).where(revocations.c.revoked_at < limit)
            return int(connection.execute(old).rowcount)


def write(connection: Connection, kind: Revoked, value: str, now: str) -> None:
    """Revoke within a transaction that is already open."""
    row = {"kind": str(kind), "value": value, "revoked_at": now}
    upsert(connection, revocations, ("kind", "value"), [row])


def stands_against(
    connection: Connection, about: Mapping[Revoked, str], issued_at: datetime
) -> bool:
    """Whether one of these was revoked at `issued_at` or later."""
    column = revocations.c
    found = select(column.kind).where(
        or_(*(and_(column.kind == kind, column.value == value) for kind, value in about.items())),
        column.revoked_at >= clock.to_text(issued_at),
    )
    return connection.execute(found.limit(1)).first() is not None
