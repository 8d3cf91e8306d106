"""Noting what is to be told, in the very transaction in which it happens: it is told if that is
committed, and never if it is not.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Sequence
from datetime import timedelta

from sqlalchemy import Connection, delete, insert

from features import clock
from features.customers.vault import NOBODY, Vault
from features.database.tables import webhook_calls
from features.shop.shop import Shop
from serving.webhooks.event import TRIED_FOR, Event, EventKind
from serving.webhooks.targets import Targets


class Outbox:
    """The calls that are still to be made."""

    def __init__(self, vault: Vault, targets: Targets) -> None:
        self._vault, self._targets = vault, targets

    @classmethod
    def of(cls, shop: Shop) -> Outbox:
        """That of a shop."""
        return cls(shop.vault, Targets.of(shop))

    def note(self, connection: Connection, event: Event) -> None:
        """Have those told who want to be, within a transaction that writes."""
        if told := self._targets.told_of(connection, event.kind):
            self.put(connection, [(event, id) for id in told], event.occurred_at)

    def put(self, connection: Connection, calls: Iterable[tuple[Event, str]], now: str) -> None:
        """Have each event told to one address, by its id, from the moment `now` on, within a
        transaction that writes.
        """
        wanted = list(calls)
        whose = [NOBODY if event.customer is None else event.customer for event, _ in wanted]
        keys = self._vault.keys_for_sealing(connection, whose)
        rows = []
        for (event, webhook_id), customer in zip(wanted, whose, strict=True):
            id = "call_" + secrets.token_hex(12)
            body = json.dumps(event.document()).encode()
            rows.append(
                {
                    "id": id,
                    "event_id": event.id,
                    "webhook_id": webhook_id,
                    "event": event.kind.value,
                    "customer": event.customer,
                    "content": keys[customer].seal(body, about(id)),
                    "made_at": event.occurred_at,
                    "tries": 0,
                    "next_at": now,
                    "until": _later(now, TRIED_FOR[event.kind]),
                }
            )
        if rows:
            connection.execute(insert(webhook_calls), rows)

    def drop(self, connection: Connection, kind: EventKind, customer: int) -> None:
        """Tell nobody any more of what is told of a customer, within a transaction that writes."""
        mine = (webhook_calls.c.event == kind.value, webhook_calls.c.customer == customer)
        connection.execute(delete(webhook_calls).where(*mine))


def told_about(
    connection: Connection, vault: Vault, rows: Sequence[tuple[str, int, bytes]]
) -> dict[str, dict[str, str | int]]:
    """What calls say, by their ids, from their rows (id, customer, content)."""
    return {
        id: dict(json.loads(vault.opened(connection, customer, content, about(id))))
        for id, customer, content in rows
    }


def about(id: str) -> str:
    """What the content of a call is bound to."""
    return f"call:{id}"


def _later(moment: str, by: timedelta) -> str:
    return clock.to_text(clock.from_text(moment) + by)
