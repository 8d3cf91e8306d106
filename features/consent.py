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
SAID = ("customer", "purpose", "category", "action", "notice_version", "method")
"""What an event says; two events under one idempotency key must agree in it."""

LONGEST = {"customer_id": 128, "method": 128, "actor": 64, "idempotency_key": 128}
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
                known = _written_before(connection, batch)
                rows = []
                for event in batch:
                    row = self._row(event, pseudonyms[event.customer_id], seq + 1, previous)
                    if (before := known.get(event.idempotency_key)) is not None:
                        receipts.append(_repeated(row, before))
                        continue
                    seq, previous = seq + 1, row["hash"]
                    rows.append(row)
                    receipts.append(Receipt(seq, previous))
                    if event.idempotency_key is not None:
                        known[event.idempotency_key] = row
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
        for field, longest in LONGEST.items():
            text = getattr(event, field)
            if text is not None and (not 0 < len(text) <= longest or not text.isprintable()):
                raise ConsentError(f"this must be a text of 1 to {longest} printable characters, and is {text[:40]!r}", field=field)
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
            return grants(connection, purpose)

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
        """Recompute the chain from its first event, and the state from the events; the number of events that hold.

        Raises `LedgerBroken` at the first event that was altered, moved, inserted or removed, or for a state that was changed.
        """
        previous, expected = "", 0
        folded: dict[tuple[int, str, str], str] = {}
        ordered = select(consent_events).order_by(consent_events.c.seq)
        with self._database.read() as connection:
            head = connection.execute(select(ledger_head)).one_or_none()
            with connection.execution_options(yield_per=BATCH).execute(ordered) as found:
                for row in found.mappings():
                    expected += 1
                    if row["seq"] != expected or row["previous_hash"] != previous or not _fits(dict(row)):
                        raise LedgerBroken(f"event {expected} of the ledger is not the one that was written", seq=expected)
                    previous = row["hash"]
                    folded[row["customer"], row["purpose"], row["category"]] = row["action"]
            state = {(row.customer, row.purpose, row.category): row.action for row in connection.execute(select(consent_state))}
        if head is None or (head.seq, head.hash) != (expected, previous):
            written = "an unknown number" if head is None else head.seq
            raise LedgerBroken(f"the ledger ends at event {expected}, but {written} were written", seq=expected + 1)
        if state != folded:
            raise LedgerBroken("the chain holds, but the state that answers obey is not what the events amount to", seq=expected)
        return expected


def granted_to(connection: Connection, customer: int, purpose: str) -> frozenset[str]:
    """Categories that a customer grants for `purpose` at this very moment: the fold of their events."""
    state = consent_state.c
    query = select(state.category).where(state.customer == customer, state.purpose == purpose, state.action == GRANTED)
    return frozenset(connection.execute(query).scalars())


def grants(connection: Connection, purpose: str) -> pd.DataFrame:
    """All grants in force for `purpose`: columns customer (int64) and category (str), one row per grant."""
    state = consent_state.c
    rows = connection.execute(select(state.customer, state.category).where(state.purpose == purpose, state.action == GRANTED)).all()
    return pd.DataFrame(rows, columns=["customer", "category"]).astype({"customer": "int64", "category": "str"})


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


def _fits(row: Mapping[str, Any]) -> bool:
    """Whether an event's hash is that of its content; content of a foreign type cannot have been written here."""
    try:
        return bool(link({name: value for name, value in row.items() if name != "hash"}) == row["hash"])
    except TypeError:
        return False


def _written_before(connection: Connection, events: Sequence[ConsentEvent]) -> dict[str | None, Mapping[str, Any]]:
    """Events of the ledger by idempotency key, of the keys that `events` bring."""
    keys = [event.idempotency_key for event in events if event.idempotency_key is not None]
    found = connection.execute(select(consent_events).where(consent_events.c.idempotency_key.in_(keys))).mappings() if keys else ()
    return {row["idempotency_key"]: dict(row) for row in found}


def _repeated(row: Mapping[str, Any], before: Mapping[str, Any]) -> Receipt:
    """Receipt of an event that is in the ledger already. Raises `ConsentError` where its key stands for another event."""
    if any(row[name] != before[name] for name in SAID):
        raise ConsentError(f"the key was used before, for event {before['seq']}, which says something else", field="idempotency_key")
    return Receipt(before["seq"], before["hash"], repeated=True)


def _moment(stated: str | None, received: str) -> str:
    if stated is None:
        return received
    try:
        return clock.to_text(clock.from_text(stated))
    except (ValueError, OverflowError):
        raise ConsentError(f"{stated!r} is no moment; write it as 2026-11-21T20:40:00Z", field="occurred_at") from None


def _list(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
