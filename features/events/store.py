"""The events of one database. What an event says is sealed with its customer's key."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, insert, select

from features.customers.vault import NOBODY, Vault
from features.database.tables import decision_events
from features.events.event import DecisionEvent

FINGERPRINT = "decision event"


def fingerprints(
    connection: Connection, vault: Vault, events: Sequence[DecisionEvent]
) -> dict[str, str]:
    """For the body of each event what tells it from another one, and cannot be turned back into it;
    within a transaction that writes.
    """
    return vault.tags(connection, FINGERPRINT, {event.body for event in events})


def known_among(connection: Connection, ids: Collection[str]) -> dict[str, str]:
    """The fingerprints of those events, by id, that are here already."""
    column = decision_events.c
    query = select(column.event_id, column.fingerprint).where(column.event_id.in_(ids))
    return {row.event_id: row.fingerprint for row in connection.execute(query)}


def keep(
    connection: Connection,
    vault: Vault,
    events: Sequence[tuple[DecisionEvent, int | None]],
    prints: Mapping[str, str],
    now: str,
    actor: str,
) -> None:
    """Write events, each with its customer (None: nobody known), within a transaction that writes;
    `prints` are their `fingerprints`.
    """
    if not events:
        return
    whose = {NOBODY if customer is None else customer for _, customer in events}
    keys = vault.keys_for_sealing(connection, whose)
    rows = [
        {
            "event_id": event.event_id,
            "decision_id": event.decision_id,
            "customer": customer,
            "kind": event.kind,
            "occurred_at": event.occurred_at,
            "received_at": now,
            "actor": actor,
            "fingerprint": prints[event.body],
            "content": keys[NOBODY if customer is None else customer].seal(
                json.dumps(event.content).encode(), _about(event.event_id)
            ),
        }
        for event, customer in events
    ]
    connection.execute(insert(decision_events), rows)


def told(connection: Connection, vault: Vault, customers: Collection[int]) -> list[dict[str, Any]]:
    """All that is kept of what these customers did, readable, oldest first."""
    column = decision_events.c
    query = select(decision_events).where(column.customer.in_(customers))
    return [
        {
            **{
                name: row[name]
                for name in ("event_id", "decision_id", "kind", "occurred_at", "received_at")
            },
            **json.loads(
                vault.opened(connection, row["customer"], row["content"], _about(row["event_id"]))
            ),
        }
        for row in connection.execute(query.order_by(column.occurred_at)).mappings().all()
    ]


def _about(event_id: str) -> str:
    return f"event:{event_id}"
