"""Some events on their way into the ledger, with what the database knows of their customers."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select

from features.catalog import CustomerIds
from features.consent.event import ConsentEvent
from features.consent.grants import STATE_COLUMNS, State, fold, is_in_force
from features.consent.timing import Rule, rule_for
from features.customers import pseudonyms as customers
from features.customers.vault import PayloadKey, Vault
from features.database.engine import upsert
from features.database.tables import consent_events, consent_state, evidence, online_features
from features.errors import ConsentError

STATE_KEY = ("customer", "purpose", "category")
IDEMPOTENCY = "idempotency"


class LedgerBatch:
    """Some events on their way into the ledger, with what the database knows of their customers."""

    def __init__(
        self,
        connection: Connection,
        vault: Vault,
        events: Sequence[ConsentEvent],
        ids: CustomerIds,
    ) -> None:
        self.events = events
        self._connection = connection
        self._pseudonyms = customers.find_or_add(
            connection, vault, {event.customer_id for event in events}, ids
        )
        keys = [event.idempotency_key for event in events if event.idempotency_key is not None]
        self._tags = vault.tags(connection, IDEMPOTENCY, keys) if keys else {}
        self._known = _written_before(connection, [*keys, *self._tags.values()])
        witnessed = [
            self._pseudonyms[event.customer_id]
            for event in events
            if event.evidence and event.customer_id in self._pseudonyms
        ]
        self._keys: Mapping[int, PayloadKey] = (
            vault.keys_for_sealing(connection, witnessed) if witnessed else {}
        )
        self._state = _states(connection, list(self._pseudonyms.values()))
        self._rows: list[dict[str, Any]] = []
        self._evidence: list[dict[str, Any]] = []

    def customer(self, event: ConsentEvent) -> int:
        """Pseudonym of the event's customer. Raises `ConsentError` for one who was erased."""
        if event.customer_id not in self._pseudonyms:
            raise ConsentError(
                "this customer was erased at their own request, and nothing of theirs is taken in"
                " again",
                field="customer_id",
            )
        return self._pseudonyms[event.customer_id]

    def tag(self, event: ConsentEvent) -> str | None:
        """What stands for the event's idempotency key in the ledger, which is no place for what a
        shop puts into its keys.
        """
        return None if event.idempotency_key is None else self._tags[event.idempotency_key]

    def before(self, event: ConsentEvent) -> Mapping[str, Any] | None:
        """The event that is in the ledger under this idempotency key already."""
        if event.idempotency_key is None:
            return None
        return self._known.get(self._tags[event.idempotency_key]) or self._known.get(
            event.idempotency_key
        )

    def kept(self, before: Mapping[str, Any]) -> int:
        """The number that the customer of an event of the ledger has now."""
        return customers.kept(self._connection, before["customer"])

    def rule(self, row: Mapping[str, Any], *, stated: bool) -> Rule:
        """By which rule of time a row counts; `stated` tells that its event named a moment."""
        standing = self._state.get((row["customer"], row["purpose"], row["category"]))
        return rule_for(row, standing, self._said, stated=stated)

    def _said(self, seq: int) -> Mapping[str, Any]:
        if self._rows and seq >= self._rows[0]["seq"]:
            row: Mapping[str, Any] = self._rows[seq - self._rows[0]["seq"]]
            return row
        query = select(consent_events).where(consent_events.c.seq == seq)
        return dict(self._connection.execute(query).mappings().one())

    def seal_evidence(self, event: ConsentEvent, seq: int) -> str | None:
        """Keep the event's evidence encrypted; its digest goes into the chain and tells nothing
        once the evidence is deleted.
        """
        if event.evidence is None:
            return None
        customer = self.customer(event)
        content = self._keys[customer].seal(event.evidence.encode(), f"evidence:{seq}")
        self._evidence.append({"seq": seq, "customer": customer, "content": content})
        return hashlib.sha256(content).hexdigest()

    def covered_from(self, row: Mapping[str, Any], versions: Sequence[str]) -> str | None:
        """From when on a grant covers data where its notice spoke of the future alone; one that
        goes on reaches as far back.

        `versions` are those of the notice that still mean what they said.
        """
        occurred: str = row["occurred_at"]
        standing = self._state.get((row["customer"], row["purpose"], row["category"]))
        if standing is None or not is_in_force(standing, versions, occurred):
            return occurred
        from_then = standing["covers_from"]
        return None if from_then is None else min(from_then, occurred)

    def take(self, row: dict[str, Any]) -> None:
        """Count a row as written."""
        self._rows.append(row)
        fold([row], self._state)
        if (tag := row["idempotency_key"]) is not None:
            self._known[tag] = row

    def store(self) -> None:
        """Write the rows, the state they amount to, and remove what was prepared from the state
        before.
        """
        if not self._rows:
            return
        self._connection.execute(insert(consent_events), self._rows)
        if self._evidence:
            self._connection.execute(insert(evidence), self._evidence)
        touched = {(row["customer"], row["purpose"], row["category"]) for row in self._rows}
        changed = [
            {**dict(zip(STATE_KEY, key, strict=True)), **self._state[key]}
            for key in touched
            if key in self._state
        ]
        if changed:
            upsert(self._connection, consent_state, STATE_KEY, changed)
        column = online_features.c
        stale = delete(online_features).where(
            column.customer == bindparam("whose"), column.purpose == bindparam("what_for")
        )
        self._connection.execute(
            stale,
            [
                {"whose": customer, "what_for": purpose}
                for customer, purpose in {key[:2] for key in touched}
            ],
        )


def _states(connection: Connection, pseudonyms: list[int]) -> dict[State, dict[str, Any]]:
    rows = connection.execute(
        select(consent_state).where(consent_state.c.customer.in_(pseudonyms))
    ).mappings()
    return {
        (row["customer"], row["purpose"], row["category"]): {
            name: row[name] for name in STATE_COLUMNS
        }
        for row in rows
    }


def keys_written_before(
    connection: Connection, vault: Vault, keys: Sequence[str]
) -> frozenset[str]:
    """Those of some idempotency keys that events of the ledger have."""
    tags = vault.tags(connection, IDEMPOTENCY, keys) if keys else {}
    known = _written_before(connection, [*keys, *tags.values()])
    return frozenset(key for key in keys if key in known or tags[key] in known)


def _written_before(connection: Connection, keys: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    """Events of the ledger by idempotency key; those of the first schema have the key itself, later
    ones its tag.
    """
    found = (
        connection.execute(
            select(consent_events).where(consent_events.c.idempotency_key.in_(keys))
        ).mappings()
        if keys
        else ()
    )
    return {row["idempotency_key"]: dict(row) for row in found}
