"""What the database tells by itself: consents that changed stand in the ledger, and champions
beside the models' versions, whichever program wrote them. Each address is told from where it was
left.
"""

from __future__ import annotations

import json

from sqlalchemy import Connection, Row, or_, select, update

from features import clock
from features.clock import Clock
from features.consent.ledger import position
from features.consent.timing import EFFECTIVE
from features.database.engine import Database
from features.database.tables import consent_events, customers, webhooks
from serving.webhooks.event import Event, EventKind
from serving.webhooks.outbox import Outbox
from serving.webhooks.targets import champions

AT_A_TIME = 500
"""Events of the ledger that are noted in one transaction, so that nobody waits behind it."""


class Following:
    """Notes for each address what is new to it."""

    def __init__(self, database: Database, outbox: Outbox, now: Clock) -> None:
        self._database, self._outbox, self._clock = database, outbox, now

    def look(self) -> None:
        """Note what is new; where that is much, some of it each time."""
        with self._database.read() as connection:
            rows = connection.execute(select(webhooks)).all()
            if not rows or not any(_is_behind(connection, row) for row in rows):
                return
        with self._database.write() as connection:
            for row in connection.execute(select(webhooks)).all():
                self._follow(connection, row)

    def _follow(self, connection: Connection, row: Row[tuple[object, ...]]) -> None:
        wanted, there = json.loads(row.events), champions(connection)
        moment = clock.to_text(self._clock())
        until = min(position(connection), row.told_seq + AT_A_TIME)
        calls: list[tuple[Event, str]] = []
        if EventKind.CONSENT_CHANGED in wanted:
            calls += [(one, row.id) for one in _consents(connection, row.told_seq, until)]
        else:
            until = position(connection)
        if EventKind.MODEL_PROMOTED in wanted:
            before = json.loads(row.told_champions)
            calls += [(_promoted(one, moment), row.id) for one in there.items() - before.items()]
        self._outbox.put(connection, calls, moment)
        told = {"told_seq": until, "told_champions": json.dumps(there)}
        connection.execute(update(webhooks).where(webhooks.c.id == row.id).values(**told))


def _is_behind(connection: Connection, row: Row[tuple[object, ...]]) -> bool:
    wanted = json.loads(row.events)
    if EventKind.CONSENT_CHANGED in wanted and row.told_seq < position(connection):
        return True
    known = json.loads(row.told_champions)
    return EventKind.MODEL_PROMOTED in wanted and known != champions(connection)


def _consents(connection: Connection, after: int, until: int) -> list[Event]:
    """The changes between two places of the ledger, of customers who are still there."""
    column = consent_events.c
    counts = or_(column.rule.is_(None), column.rule.in_(sorted(EFFECTIVE)))
    query = (
        select(
            customers.c.external_id,
            column.customer,
            column.seq,
            column.purpose,
            column.category,
            column.action,
            column.received_at,
        )
        .join(customers, customers.c.customer == column.customer)
        .where(column.seq > after, column.seq <= until, counts)
        .order_by(column.seq)
    )
    return [
        Event(
            EventKind.CONSENT_CHANGED,
            row.received_at,
            {
                "customer_id": row.external_id,
                "purpose": row.purpose,
                "category": row.category,
                "action": row.action,
                "ledger_seq": row.seq,
            },
            row.customer,
        )
        for row in connection.execute(query)
    ]


def _promoted(champion: tuple[str, str], moment: str) -> Event:
    model, version = champion
    return Event(EventKind.MODEL_PROMOTED, moment, {"model": model, "version": version})
