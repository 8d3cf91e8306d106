"""What customers chose after a backup, taken from the database that it was made of, where that can
still be read: no withdrawal is lost by putting a backup back.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Table, insert, select, update
from sqlalchemy.exc import SQLAlchemyError

from features.consent.verification import rebuild_state, verify_ledger_within
from features.database.engine import Database
from features.database.tables import (
    consent_events,
    customers,
    evidence,
    ledger_head,
    merged_customers,
    opt_outs,
    payload_keys,
)
from features.errors import LedgerBroken, SaysoError

BATCH = 500


class NotTheSame(SaysoError):
    """A database does not go on where a backup ends."""


@dataclass(frozen=True)
class LaterChoices:
    """How many events of the ledger and opt-outs were taken over."""

    consents: int
    opt_outs: int


def take_later(source: Database, target: Database) -> LaterChoices:
    """Add to `target`, made of a backup, what the ledger of `source` and its opt-outs have beyond
    it; `source` is only read.

    The events are taken as they stand, with the hashes that chain them to those of the backup.

    Raises `NotTheSame` where the ledger of `source` is not whole, or not the backup's own, gone on.
    """
    try:
        with source.read() as old, target.write() as new:
            verify_ledger_within(old)
            found = _take(old, new)
    except (SQLAlchemyError, LedgerBroken) as error:
        cause = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise NotTheSame(
            f"what customers chose since the backup cannot be read ({cause}); leave"
            " --consents-from out, and import the consents with `sayso consent import`"
        ) from None
    rebuild_state(target)
    return found


def _take(old: Connection, new: Connection) -> LaterChoices:
    end = new.execute(select(ledger_head)).one()
    same = select(consent_events.c.hash).where(consent_events.c.seq == end.seq)
    if end.seq and old.execute(same).scalar() != end.hash:
        raise NotTheSame(
            "that database's ledger is not the backup's, gone on: name the database that the backup"
            " was made of, or leave --consents-from out"
        )
    later = _rows(old, consent_events, consent_events.c.seq > end.seq)
    chosen = _missing(old, new, opt_outs, "id")
    people = {row["customer"] for row in (*later, *chosen)}
    for table in (customers, merged_customers, payload_keys):
        theirs = _missing(old, new, table, "customer")
        _add(new, table, [row for row in theirs if row["customer"] in people])
    _add(new, consent_events, later)
    _add(new, evidence, _rows(old, evidence, evidence.c.seq > end.seq))
    _add(new, opt_outs, chosen)
    newest = old.execute(select(ledger_head)).mappings().one()
    new.execute(update(ledger_head).values(**newest))
    return LaterChoices(len(later), len(chosen))


def _missing(old: Connection, new: Connection, table: Table, key: str) -> list[dict[str, Any]]:
    known = set(new.execute(select(table.c[key])).scalars())
    return [row for row in _rows(old, table) if row[key] not in known]


def _rows(connection: Connection, table: Table, *where: Any) -> list[dict[str, Any]]:
    found = connection.execute(select(table).where(*where).order_by(*table.primary_key.columns))
    return [dict(row) for row in found.mappings()]


def _add(connection: Connection, table: Table, rows: Collection[dict[str, Any]]) -> None:
    for batch in _batches(list(rows)):
        connection.execute(insert(table), batch)


def _batches(rows: list[dict[str, Any]]) -> Iterable[list[dict[str, Any]]]:
    return (rows[start : start + BATCH] for start in range(0, len(rows), BATCH))
