"""The audit log: who read what, and whose data it was, in which request.

The program's own log names neither the customer nor what was found.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, insert, select

from features import clock
from features.clock import Clock, utc_now
from features.database.engine import Database
from features.database.prepared import Prepared
from features.database.tables import audit_log, customers
from serving.access.caller import Caller

log = logging.getLogger("sayso.audit")


@dataclass(frozen=True)
class Read:
    """One line of the log; `customer_id` is the shop's own id, None where nobody is known."""

    at: str
    actor: str
    kind: str
    customer_id: str | None
    request_id: str | None


class AuditLog:
    """The audit log of one database."""

    def __init__(self, database: Database, clock: Clock = utc_now) -> None:
        self._database = database
        self._clock = clock

    def read(self, caller: Caller, kind: str, *customers: int | None) -> None:
        """Record that `caller` reads something of that `kind`, and whose (pseudonyms); durable
        before anything is shown.
        """
        log.info("%s read: %s", caller.actor, kind)
        with self._database.write() as connection:
            write(connection, caller, kind, customers or (None,), clock.to_text(self._clock()))

    def newest(self, most: int) -> list[Read]:
        """The newest lines, newest first."""
        column = audit_log.c
        query = (
            select(audit_log, customers.c.external_id)
            .outerjoin(customers, customers.c.customer == column.customer)
            .order_by(column.at.desc(), column.id)
            .limit(most)
        )
        with self._database.read() as connection:
            return [
                Read(row.at, row.actor or row.key_id, row.kind, row.external_id, row.request_id)
                for row in connection.execute(query).all()
            ]


def write(
    connection: Connection, caller: Caller, kind: str, whose: Sequence[int | None], now: str
) -> None:
    """Record a read within a transaction that is already open."""
    about = {
        "key_id": caller.key_id,
        "kind": kind,
        "at": now,
        "actor": caller.actor,
        "link_id": caller.link_id,
        "request_id": caller.request_id,
    }
    lines = [
        {"id": "acc_" + secrets.token_hex(12), "customer": customer, **about}
        for customer in dict.fromkeys(whose)
    ]
    _WRITE.run_all(connection, lines)


_WRITE = Prepared(insert(audit_log), audit_log.c.keys())
