"""The consent ledger: an append-only, hash-chained list of what each customer granted, refused or
withdrew.

A customer's state is the fold of their events in the order of the ledger, never of a client's
clock; `features.consent.grants` says what of it is in force.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd
from sqlalchemy import Connection, select, update

from features import clock
from features.catalog import Catalog
from features.clock import Clock, utc_now
from features.consent.batch import LedgerBatch, keys_written_before
from features.consent.chain import link
from features.consent.event import (
    ALLOWING,
    EXPIRED,
    ConsentEvent,
    check_event,
    notice_of,
    said_at,
    valid_until,
)
from features.consent.grants import grants, is_in_force
from features.consent.timing import EFFECTIVE, WORDS
from features.customers.pseudonyms import numbers_of
from features.customers.vault import Vault
from features.database.caller import note_recorded
from features.database.engine import Database
from features.database.tables import consent_events, consent_state, ledger_head
from features.errors import ConsentError

__all__ = ["ConsentEvent", "Ledger", "Receipt", "position", "withdrawn"]

UNKNOWN = "unknown"
SAID = ("purpose", "category", "action", "notice_version", "method")
"""What an event says; two events under one idempotency key must agree in it."""
LATER_COLUMNS = frozenset(
    {
        "notice",
        "notice_language",
        "notice_digest",
        "valid_until",
        "covers_from",
        "evidence_digest",
        "stated_at",
        "rule",
    }
)
"""Columns that the events of the first schema do not have."""
BATCH = 5_000


@dataclass(frozen=True)
class Receipt:
    """Proof that an event is in the ledger.

    `repeated` tells that it was there before, under the same idempotency key. `rule` is the rule of
    time by which it counts (`features.consent.timing`); None for an event of before there were any.
    """

    seq: int
    hash: str
    repeated: bool = False
    rule: str | None = None

    @property
    def takes_effect(self) -> bool:
        """Whether the event changed where its customer stands."""
        return self.rule is None or self.rule in EFFECTIVE

    @property
    def explanation(self) -> str | None:
        """The rule in words."""
        return None if self.rule is None else WORDS[self.rule]


class Ledger:
    """The ledger of one database. `catalog` says which purposes, categories and notices exist."""

    def __init__(
        self, database: Database, catalog: Catalog, vault: Vault, clock: Clock = utc_now
    ) -> None:
        self._database = database
        self._catalog = catalog
        self._vault = vault
        self._clock = clock

    def append(self, event: ConsentEvent) -> Receipt:
        """Write one event; once this returns it is durable and every later answer obeys it.

        Raises `ConsentError` for an event that refers to an unknown purpose, category or notice, or
        to an erased customer.
        """
        return self.append_all([event])[0]

    def append_all(self, events: Sequence[ConsentEvent]) -> list[Receipt]:
        """Write all events, or none if one of them is refused."""
        received = self._clock()
        for event in events:
            check_event(event, self._catalog, received)
        with self._database.write() as connection:
            return list(self._written(connection, events))

    def write(self, connection: Connection, events: Sequence[ConsentEvent]) -> list[Receipt]:
        """Write events that are known to keep the rules (`check`), within a transaction that is
        already open.
        """
        return list(self._written(connection, events))

    def check(self, event: ConsentEvent) -> None:
        """Raises `ConsentError` for an event that `append` would refuse."""
        check_event(event, self._catalog, self._clock())

    def granted(self, purpose: str) -> pd.DataFrame:
        """All grants in force for `purpose` now, as `features.consent.grants.grants` gives them."""
        with self._database.read() as connection:
            return grants(connection, self._catalog, purpose, clock.to_text(self._clock()))

    def state(self, customer: int) -> list[dict[str, Any]]:
        """A customer's state for every purpose and category that may be asked.

        Each has purpose, category, action (`unknown`, where nothing was said, is no), allowed
        (whether data may be used now), notice_version and valid_until.
        """
        with self._database.read() as connection:
            return self.state_within(connection, customer)

    def state_within(self, connection: Connection, customer: int) -> list[dict[str, Any]]:
        """`state`, within a transaction that is already open."""
        now = clock.to_text(self._clock())
        rows = connection.execute(
            select(consent_state).where(consent_state.c.customer == customer)
        ).mappings()
        known = {(row["purpose"], row["category"]): dict(row) for row in rows}
        asked = [
            (purpose, category)
            for purpose in self._catalog.purposes
            for category in self._catalog.askable(purpose)
        ]
        return [
            {"purpose": p, "category": c, **self._standing(p, known.get((p, c)), now)}
            for p, c in asked
        ]

    def history(self, customer: int) -> list[dict[str, Any]]:
        """A customer's events, oldest first, in the columns of `consent_events`; those under
        numbers that were merged into theirs are among them.
        """
        with self._database.read() as connection:
            query = (
                select(consent_events)
                .where(consent_events.c.customer.in_(numbers_of(connection, customer)))
                .order_by(consent_events.c.seq)
            )
            return [dict(row) for row in connection.execute(query).mappings()]

    def written_before(self, keys: Sequence[str]) -> frozenset[str]:
        """Those of some idempotency keys that events of the ledger have."""
        found: set[str] = set()
        with self._database.write() as connection:
            for start in range(0, len(keys), BATCH):
                part = keys[start : start + BATCH]
                found |= keys_written_before(connection, self._vault, part)
        return frozenset(found)

    def position(self) -> int:
        """Sequence number of the newest event; 0 where there is none."""
        with self._database.read() as connection:
            return position(connection)

    def _standing(self, purpose: str, state: Mapping[str, Any] | None, now: str) -> dict[str, Any]:
        if state is None:
            return {
                "action": UNKNOWN,
                "allowed": False,
                "notice_version": None,
                "valid_until": None,
            }
        runs_out = state["valid_until"]
        over = state["action"] in ALLOWING and runs_out is not None and runs_out <= now
        allowed = is_in_force(state, self._catalog.versions_in_force(purpose), now)
        action = EXPIRED if over else state["action"]
        return {
            "action": action,
            "allowed": allowed,
            "notice_version": state["notice_version"],
            "valid_until": runs_out,
        }

    def _written(self, connection: Connection, events: Sequence[ConsentEvent]) -> Iterator[Receipt]:
        head = connection.execute(select(ledger_head).with_for_update()).one()
        received = self._clock()  # behind the lock, so that times follow the order of the ledger
        seq, previous = head.seq, head.hash
        for start in range(0, len(events), BATCH):
            part = events[start : start + BATCH]
            batch = LedgerBatch(connection, self._vault, part, self._catalog.ids)
            for at, event in enumerate(batch.events, start):
                if (before := batch.before(event)) is not None:
                    same = batch.kept(before) == batch.customer(event)
                    yield _repeated(event, at, before, same_customer=same)
                    continue
                row = self._row(event, batch, seq + 1, previous, received)
                batch.take(row)
                note_recorded("consent", str(row["seq"]))
                seq, previous = seq + 1, row["hash"]
                yield Receipt(seq, previous, rule=row["rule"])
            batch.store()
        connection.execute(update(ledger_head).values(seq=seq, hash=previous))

    def _row(
        self, event: ConsentEvent, batch: LedgerBatch, seq: int, previous: str, received: datetime
    ) -> dict[str, Any]:
        stated = said_at(event, self._catalog, received)
        occurred = min(stated, received)
        notice = notice_of(event, self._catalog)
        row: dict[str, Any] = {
            "seq": seq,
            "customer": batch.customer(event),
            "purpose": event.purpose,
            "category": event.category,
            "action": event.action,
            "notice_version": event.notice_version,
            "method": event.method,
            "actor": event.actor,
            "occurred_at": clock.to_text(occurred),
            "received_at": clock.to_text(received),
            "idempotency_key": batch.tag(event),
            "previous_hash": previous,
            "notice": notice and notice.id,
            "notice_language": notice and notice.language,
            "notice_digest": notice and notice.digest,
            "valid_until": valid_until(event, self._catalog, occurred),
            "evidence_digest": batch.seal_evidence(event, seq),
            "stated_at": clock.to_text(stated) if stated > received else None,
        }
        row["rule"] = batch.rule(row, stated=event.occurred_at is not None).value
        earlier = event.action not in ALLOWING or (
            notice is not None and notice.covers_earlier_data
        )
        row["covers_from"] = (
            None
            if earlier
            else batch.covered_from(row, self._catalog.versions_in_force(event.purpose))
        )
        return {**row, "hash": link(row, LATER_COLUMNS)}


def position(connection: Connection) -> int:
    """Sequence number of the newest event, within a transaction that is already open."""
    return int(connection.execute(select(ledger_head.c.seq)).scalar_one())


def withdrawn(
    connection: Connection, purpose: str, categories: Collection[str], after: int, until: int
) -> frozenset[int]:
    """Customers (pseudonyms) who took one of `categories` back for `purpose` in an event after
    `after` and up to `until`.
    """
    column = consent_events.c
    taken_back = (
        column.purpose == purpose,
        column.category.in_(categories),
        column.action.not_in(ALLOWING),
    )
    query = select(column.customer).where(column.seq > after, column.seq <= until, *taken_back)
    return frozenset(connection.execute(query).scalars())


def _repeated(
    event: ConsentEvent, at: int, before: Mapping[str, Any], *, same_customer: bool
) -> Receipt:
    """Receipt of an event that is in the ledger already.

    Raises `ConsentError` where its key stands for another event.
    """
    if not same_customer or any(getattr(event, name) != before[name] for name in SAID):
        raise ConsentError(
            f"the key was used before, for event {before['seq']}, which says something else",
            field="idempotency_key",
            at=at,
        )
    return Receipt(before["seq"], before["hash"], repeated=True, rule=before["rule"])
