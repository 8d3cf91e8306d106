"""Who each model learnt from, by pseudonym: so that a withdrawal is known to concern it."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, func, insert, select, update

from features import clock
from features.consent.event import ALLOWING
from features.database.tables import consent_events, training_sets


@dataclass(frozen=True)
class TrainingSet:
    """The customers (int64, ascending) of one training run for one `purpose`; the run read the
    ledger at `ledger_seq`.

    `erased` customers who were in it are in it no more; `tainted_since` is when the first of them
    took their consent back.
    """

    run_id: str
    purpose: str
    ledger_seq: int
    made_at: str
    customers: NDArray[np.int64]
    erased: int = 0
    tainted_since: str | None = None


def remember(
    connection: Connection,
    run_id: str,
    purpose: str,
    ledger_seq: int,
    customers: Iterable[int],
    now: datetime,
) -> None:
    """Keep the training set of a run for one of its purposes."""
    whose = np.unique(np.fromiter(customers, dtype=np.int64))
    row = {
        "run_id": run_id,
        "purpose": purpose,
        "ledger_seq": ledger_seq,
        "made_at": clock.to_text(now),
        "customers": _packed(whose),
        "erased": 0,
    }
    connection.execute(insert(training_sets).values(**row))


def read_all(connection: Connection) -> list[TrainingSet]:
    """All training sets, oldest first."""
    rows = connection.execute(select(training_sets).order_by(training_sets.c.made_at)).mappings()
    return [TrainingSet(**{**row, "customers": _unpacked(row["customers"])}) for row in rows]


def leave(connection: Connection, customer: int, now: datetime) -> None:
    """Take an erased customer out of all training sets; that somebody left them stays known."""
    for found in read_all(connection):
        if customer in found.customers:
            before = [
                moment
                for moment in (_taken_back(connection, found).get(customer), found.tainted_since)
                if moment is not None
            ]
            others = found.customers[found.customers != customer]
            left = {
                "customers": _packed(others),
                "erased": found.erased + 1,
                "tainted_since": min(before, default=clock.to_text(now)),
            }
            this = (training_sets.c.run_id == found.run_id) & (
                training_sets.c.purpose == found.purpose
            )
            connection.execute(update(training_sets).where(this).values(**left))


def renumber(connection: Connection, into: Mapping[int, int]) -> None:
    """Put the kept number in place of each number that was merged into it."""
    for found in read_all(connection):
        members = found.customers.tolist()
        if into.keys().isdisjoint(members):
            continue
        whose = np.unique(np.array([into.get(one, one) for one in members], dtype=np.int64))
        this = (training_sets.c.run_id == found.run_id) & (training_sets.c.purpose == found.purpose)
        connection.execute(update(training_sets).where(this).values(customers=_packed(whose)))


def withdrawn_since(connection: Connection, sets: Sequence[TrainingSet]) -> tuple[int, str | None]:
    """How many members of the `sets` of one run took something back for its purpose after the
    ledger was read, and when the first did.
    """
    moments: dict[int, str] = {}
    for trained in sets:
        members = set(trained.customers.tolist())
        for customer, since in _taken_back(connection, trained).items():
            if customer in members:
                moments[customer] = min(since, moments.get(customer, since))
    tainted = [
        moment
        for moment in (*moments.values(), *(trained.tainted_since for trained in sets))
        if moment is not None
    ]
    return len(moments) + max((trained.erased for trained in sets), default=0), min(
        tainted, default=None
    )


def _taken_back(connection: Connection, trained: TrainingSet) -> dict[int, str]:
    """When each customer first took something back for the model's purpose after it read the
    ledger.
    """
    column = consent_events.c
    query = (
        select(column.customer, func.min(column.received_at).label("since"))
        .where(
            column.seq > trained.ledger_seq,
            column.purpose == trained.purpose,
            column.action.not_in(ALLOWING),
        )
        .group_by(column.customer)
    )
    return {row.customer: row.since for row in connection.execute(query)}


def _packed(customers: NDArray[np.int64]) -> bytes:
    return zlib.compress(customers.astype("<i8").tobytes())


def _unpacked(content: bytes) -> NDArray[np.int64]:
    return np.frombuffer(zlib.decompress(content), dtype="<i8").astype(np.int64)
