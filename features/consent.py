"""The consent ledger: an append-only, hash-chained list of what each customer granted, refused or withdrew.

A customer's state is the fold of their events in the order of the ledger (never of a client's clock): per purpose and
category the newest event decides, only `granted` allows, and where there is no event the answer is no.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from sqlalchemy import Connection, bindparam, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from features import clock, customers
from features.catalog import Catalog
from features.clock import Clock, utc_now
from features.database import Database
from features.errors import ConsentError, LedgerBroken
from features.tables import consent_events, consent_state, ledger_head, online_features

GRANTED = "granted"
UNKNOWN = "unknown"
ACTIONS = (GRANTED, "refused", "withdrawn")
BATCH = 5_000


@dataclass(frozen=True)
class ConsentEvent:
    """One thing that a customer said about one category for one purpose."""

    customer_id: str
    purpose: str
    category: str
    action: str
    method: str
    notice_version: str | None = None
    occurred_at: str | None = None
    idempotency_key: str | None = None
    actor: str = "customer"


@dataclass(frozen=True)
class Receipt:
    """Proof that an event is in the ledger. `repeated` tells that it was there before, under the same idempotency key."""

    seq: int
    hash: str
    repeated: bool = False


class Ledger:
    """The ledger of one database. `catalog` says which purposes, categories and notices exist."""

    def __init__(self, database: Database, catalog: Catalog, clock: Clock = utc_now) -> None:
        self._database = database
        self._catalog = catalog
        self._clock = clock

    def append(self, event: ConsentEvent) -> Receipt:
        """Write one event; once this returns it is durable and every later answer obeys it.

        Raises `ConsentError` for an event that refers to an unknown purpose, category or notice.
        """
        return self.append_all([event])[0]

    def append_all(self, events: Sequence[ConsentEvent]) -> list[Receipt]:
        """Write all events, or none if one of them is refused."""
        for event in events:
            self.check(event)
        receipts: list[Receipt] = []
        with self._database.write() as connection:
            head = connection.execute(select(ledger_head).with_for_update()).one()
            seq, previous = head.seq, head.hash
            for start in range(0, len(events), BATCH):
                batch = events[start : start + BATCH]
                pseudonyms = customers.find_or_add(connection, {event.customer_id for event in batch})
                seen = _written_before(connection, batch)
                rows = []
                for event in batch:
                    if event.idempotency_key in seen:
                        receipts.append(seen[event.idempotency_key])
                        continue
                    seq += 1
                    row = self._row(event, pseudonyms[event.customer_id], seq, previous)
                    previous = row["hash"]
                    rows.append(row)
                    receipts.append(Receipt(seq, previous))
                    if event.idempotency_key:
                        seen[event.idempotency_key] = Receipt(seq, previous, repeated=True)
                _write(connection, rows)
            connection.execute(update(ledger_head).values(seq=seq, hash=previous))
        return receipts

    def check(self, event: ConsentEvent) -> None:
        """Raises `ConsentError` for an event that refers to an unknown purpose, category, action or notice."""
        catalog = self._catalog
        if event.purpose not in catalog.purposes:
            raise ConsentError(f"the purpose {event.purpose!r} does not exist; known are {_list(catalog.purposes)}", field="purpose")
        if event.category not in (askable := catalog.askable(event.purpose)):
            raise ConsentError(
                f"the category {event.category!r} is not asked for {event.purpose!r}; asked for are {_list(askable)}", field="category"
            )
        if event.action not in ACTIONS:
            raise ConsentError(f"the action {event.action!r} does not exist; known are {_list(ACTIONS)}", field="action")
        if event.action == GRANTED and event.notice_version is None:
            raise ConsentError("a grant needs the version of the notice that the customer saw", field="notice_version")
        if event.notice_version is not None and not catalog.has_notice(event.purpose, event.notice_version):
            raise ConsentError(f"the notice of {event.purpose!r} has no version {event.notice_version!r}", field="notice_version")
        if not event.method:
            raise ConsentError("the method tells how the customer was asked; it must not be empty", field="method")
        _moment(event.occurred_at, "")

    def _row(self, event: ConsentEvent, customer: int, seq: int, previous: str) -> dict[str, Any]:
        received = clock.to_text(self._clock())
        row: dict[str, Any] = {
            "seq": seq,
            "customer": customer,
            "purpose": event.purpose,
            "category": event.category,
            "action": event.action,
            "notice_version": event.notice_version,
            "method": event.method,
            "actor": event.actor,
            "occurred_at": _moment(event.occurred_at, received),
            "received_at": received,
            "idempotency_key": event.idempotency_key,
            "previous_hash": previous,
        }
        return {**row, "hash": link(row)}

    def granted(self, purpose: str) -> pd.DataFrame:
        """All grants in force for `purpose`: columns customer (int64) and category (str), one row per grant."""
        with self._database.read() as connection:
            rows = connection.execute(
                select(consent_state.c.customer, consent_state.c.category).where(
                    consent_state.c.purpose == purpose, consent_state.c.action == GRANTED
                )
            ).all()
        frame = pd.DataFrame(rows, columns=["customer", "category"])
        return frame.astype({"customer": "int64", "category": "str"})

    def state(self, customer: int) -> list[dict[str, str]]:
        """A customer's state for every purpose and category that may be asked: purpose, category, action (`unknown` is no)."""
        state = consent_state.c
        with self._database.read() as connection:
            rows = connection.execute(select(state.purpose, state.category, state.action).where(state.customer == customer)).all()
        known = {(row.purpose, row.category): row.action for row in rows}
        asked = [(purpose, category) for purpose in self._catalog.purposes for category in self._catalog.askable(purpose)]
        return [{"purpose": p, "category": c, "action": known.get((p, c), UNKNOWN)} for p, c in asked]

    def history(self, customer: int) -> list[dict[str, Any]]:
        """A customer's events, oldest first, in the columns of `consent_events`."""
        with self._database.read() as connection:
            query = select(consent_events).where(consent_events.c.customer == customer).order_by(consent_events.c.seq)
            return [dict(row) for row in connection.execute(query).mappings()]

    def position(self) -> int:
        """Sequence number of the newest event; 0 where there is none."""
        with self._database.read() as connection:
            return position(connection)

    def verify(self) -> int:
        """Recompute the chain from its first event; the number of events that hold.

        Raises `LedgerBroken` at the first event that was altered, moved, inserted or removed.
        """
        previous, expected = "", 0
        with self._database.read() as connection:
            head = connection.execute(select(ledger_head)).one()
            for row in (
                connection.execution_options(yield_per=BATCH).execute(select(consent_events).order_by(consent_events.c.seq)).mappings()
            ):
                expected += 1
                stated = {name: value for name, value in row.items() if name != "hash"}
                if row["seq"] != expected or row["previous_hash"] != previous or link(stated) != row["hash"]:
                    raise LedgerBroken(f"event {expected} of the ledger is not the one that was written", seq=expected)
                previous = row["hash"]
        if (head.seq, head.hash) != (expected, previous):
            raise LedgerBroken(f"the ledger ends at event {expected}, but {head.seq} were written", seq=expected + 1)
        return expected


def granted_to(connection: Connection, customer: int, purpose: str) -> frozenset[str]:
    """Categories that a customer grants for `purpose` at this very moment: the fold of their events."""
    state = consent_state.c
    query = select(state.category).where(state.customer == customer, state.purpose == purpose, state.action == GRANTED)
    return frozenset(connection.execute(query).scalars())


def position(connection: Connection) -> int:
    """Sequence number of the newest event, within a transaction that is already open."""
    return int(connection.execute(select(ledger_head.c.seq)).scalar_one())


def fold(events: Iterable[Mapping[str, Any]]) -> dict[tuple[int, str, str], str]:
    """The state that `events` amount to: the newest action by (customer, purpose, category)."""
    ordered = sorted(events, key=lambda event: event["seq"])
    return {(event["customer"], event["purpose"], event["category"]): event["action"] for event in ordered}


def link(row: Mapping[str, Any]) -> str:
    """Hash of an event and, through `previous_hash`, of all before it: SHA-256 of its canonical JSON."""
    canonical = json.dumps(dict(row), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _write(connection: Connection, rows: list[dict[str, Any]]) -> None:
    if not rows:
        return
    connection.execute(insert(consent_events), rows)
    newest = {key: row for row in rows for key in [(row["customer"], row["purpose"], row["category"])]}
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(consent_state)
    statement = statement.on_conflict_do_update(
        index_elements=["customer", "purpose", "category"], set_={"action": statement.excluded.action, "seq": statement.excluded.seq}
    )
    columns = ("customer", "purpose", "category", "action", "seq")
    connection.execute(statement, [{name: row[name] for name in columns} for row in newest.values()])
    prepared = online_features.c
    stale = delete(online_features).where(prepared.customer == bindparam("whose"), prepared.purpose == bindparam("what_for"))
    connection.execute(stale, [{"whose": customer, "what_for": purpose} for customer, purpose in {key[:2] for key in newest}])


def _written_before(connection: Connection, events: Sequence[ConsentEvent]) -> dict[str | None, Receipt]:
    keys = [event.idempotency_key for event in events if event.idempotency_key]
    if not keys:
        return {}
    query = select(consent_events.c.idempotency_key, consent_events.c.seq, consent_events.c.hash)
    rows = connection.execute(query.where(consent_events.c.idempotency_key.in_(keys)))
    return {key: Receipt(seq, digest, repeated=True) for key, seq, digest in rows}


def _moment(stated: str | None, received: str) -> str:
    if stated is None:
        return received
    try:
        return clock.to_text(clock.from_text(stated))
    except ValueError:
        raise ConsentError(f"{stated!r} is no moment; write it as 2026-11-21T20:40:00Z", field="occurred_at") from None


def _list(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
