"""The events of one database. What an event says is sealed with its customer's key."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select

from features.customers.vault import NOBODY, Vault, seal_all
from features.database.tables import decision_events
from features.events.event import DecisionEvent, told_in

FINGERPRINT = "decision event"


@dataclass(frozen=True)
class Kept:
    """An event that is kept, of which customer it is (None: nobody known), and its fingerprint."""

    event: DecisionEvent
    customer: int | None
    fingerprint: str


def fingerprints(
    connection: Connection, vault: Vault, events: Sequence[DecisionEvent]
) -> list[str]:
    """For each event what tells its body from another one, and cannot be turned back into it;
    within a transaction that writes.
    """
    bodies = [event.body for event in events]
    tags = vault.tags(connection, FINGERPRINT, bodies)
    return [tags[body] for body in bodies]


def known_among(connection: Connection, ids: Collection[str]) -> dict[str, str]:
    """The fingerprints of those events, by id, that are here already."""
    column = decision_events.c
    query = select(column.event_id, column.fingerprint).where(column.event_id.in_(ids))
    return {row.event_id: row.fingerprint for row in connection.execute(query).all()}


def keep(
    connection: Connection, vault: Vault, events: Sequence[Kept], now: str, actor: str
) -> None:
    """Write events within a transaction that writes."""
    if not events:
        return
    keys = vault.keys_for_sealing(connection, {_whose(one) for one in events})
    sealed = seal_all(
        [(keys[_whose(one)], one.event.content, _about(one.event.event_id)) for one in events]
    )
    rows = [
        {
            "event_id": one.event.event_id,
            "decision_id": one.event.decision_id,
            "customer": one.customer,
            "kind": one.event.kind,
            "occurred_at": one.event.occurred_at,
            "received_at": now,
            "actor": actor,
            "fingerprint": one.fingerprint,
            "content": content,
        }
        for one, content in zip(events, sealed, strict=True)
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
            **told_in(
                vault.opened(connection, row["customer"], row["content"], _about(row["event_id"]))
            ),
        }
        for row in connection.execute(query.order_by(column.occurred_at)).mappings().all()
    ]


def _whose(one: Kept) -> int:
    return NOBODY if one.customer is None else one.customer


def _about(event_id: str) -> str:
    return f"event:{event_id}"
