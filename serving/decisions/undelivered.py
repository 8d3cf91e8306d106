"""What was recorded for a caller who cannot have got the answer: they had gone, or were told that
it took too long, while it was being committed.

Such a decision was made and stays on record, marked; nobody was shown anything, so it counts for no
cap on how often a customer is written to. One whose request was named with a key
(`serving.decisions.kept_answers`) is not marked: it is there for whoever asks again.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence

from sqlalchemy import Connection, delete, select

from features import clock
from features.clock import Clock
from features.database.caller import Recorded
from features.database.engine import Database, insert_missing
from features.database.tables import exposures, kept_answers, undelivered

DECISION = "decision"


class Undelivered:
    """What was noted in one worker, until it is marked in the background: no answer waits."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._noted: list[Recorded] = []

    def note(self, recorded: Sequence[Recorded]) -> None:
        """Have these marked soon."""
        with self._lock:
            self._noted += recorded

    def mark(self, database: Database, now: Clock) -> None:
        """Mark what was noted; what cannot be marked now is kept for the next time."""
        with self._lock:
            noted, self._noted = self._noted, []
        if not noted:
            return
        try:
            with database.write() as connection:
                _mark(connection, noted, clock.to_text(now()))
        except BaseException:
            self.note(noted)
            raise


def _mark(connection: Connection, recorded: Sequence[Recorded], now: str) -> None:
    decisions = {one.reference for one in recorded if one.kind == DECISION}
    column = kept_answers.c.decision_id
    again = set(connection.execute(select(column).where(column.in_(decisions))).scalars())
    rows = [
        {"kind": one.kind, "reference": one.reference, "noted_at": now}
        for one in recorded
        if one.kind != DECISION or one.reference not in again
    ]
    if rows:
        insert_missing(connection, undelivered, ["kind", "reference"], rows)
    decisions -= again
    connection.execute(delete(exposures).where(exposures.c.decision_id.in_(decisions)))


def undelivered_among(
    connection: Connection, kind: str, references: Collection[str]
) -> frozenset[str]:
    """Which of these were not delivered."""
    mine = (undelivered.c.kind == kind, undelivered.c.reference.in_(list(references)))
    return frozenset(connection.execute(select(undelivered.c.reference).where(*mine)).scalars())
