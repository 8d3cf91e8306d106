"""The calls that are due, and what became of each; all of it in the database, so that a process
that is killed loses nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update

from features import clock
from features.clock import Clock
from features.database.engine import Database
from features.database.tables import webhook_calls

CLAIMED_FOR = timedelta(seconds=60)
"""How long who makes a call has it; after that, as after a kill, anybody makes it."""
FAILURES_KEPT = timedelta(days=30)
MOST_LISTED = 500


@dataclass(frozen=True)
class Due:
    """A call that is due."""

    id: str
    event_id: str
    webhook_id: str
    customer: int | None
    content: bytes
    tries: int
    next_at: str
    until: str


@dataclass(frozen=True)
class Failed:
    """A call that was not taken: it is made again at `next_at`, unless it was given up."""

    event_id: str
    event: str
    webhook_id: str
    made_at: str
    tries: int
    because: str
    next_at: str | None
    gave_up_at: str | None


class Queue:
    """The calls of one database."""

    def __init__(self, database: Database, now: Clock) -> None:
        self._database, self._clock = database, now

    def due(self, most: int, not_to: Collection[str]) -> list[Due]:
        """Calls that are due, those that failed least often first, then the oldest; none to the
        addresses in `not_to`, by their ids.
        """
        column = webhook_calls.c
        query = (
            select(*(column[name] for name in Due.__dataclass_fields__))
            .where(
                column.gave_up_at.is_(None),
                column.next_at <= self._now(),
                column.webhook_id.not_in(not_to),
            )
            .order_by(column.tries, column.made_at, column.id)
            .limit(most)
        )
        with self._database.read() as connection:
            return [Due(*row) for row in connection.execute(query)]

    def claim(self, call: Due) -> bool:
        """Whether this caller is the one to make a call; nobody else does for a while."""
        column = webhook_calls.c
        seen = (column.id == call.id, column.next_at == call.next_at, column.gave_up_at.is_(None))
        later = clock.to_text(self._clock() + CLAIMED_FOR)
        with self._database.write() as connection:
            change = update(webhook_calls).where(*seen).values(next_at=later)
            return bool(connection.execute(change).rowcount)

    def taken(self, call: Due) -> None:
        """Forget a call that was taken, or that nobody is left to take."""
        with self._database.write() as connection:
            connection.execute(delete(webhook_calls).where(webhook_calls.c.id == call.id))

    def failed(self, call: Due, because: str, again_after: timedelta) -> None:
        """Note that a call was not taken: it is made again, or given up once it is too old, and
        what it says is deleted then.
        """
        now = self._clock()
        again = clock.to_text(now + again_after)
        values: dict[str, object] = {"tries": call.tries + 1, "failed_because": because}
        if again > call.until:
            values |= {"gave_up_at": clock.to_text(now), "content": None, "customer": None}
        change = update(webhook_calls).where(webhook_calls.c.id == call.id)
        with self._database.write() as connection:
            connection.execute(change.values(next_at=again, **values))

    def failures(self) -> Sequence[Failed]:
        """The newest calls that were not taken, newest first."""
        column = webhook_calls.c
        query = (
            select(webhook_calls)
            .where(column.failed_because.is_not(None))
            .order_by(column.made_at.desc(), column.id)
            .limit(MOST_LISTED)
        )
        with self._database.read() as connection:
            return [
                Failed(
                    row.event_id,
                    row.event,
                    row.webhook_id,
                    row.made_at,
                    row.tries,
                    row.failed_because,
                    None if row.gave_up_at else row.next_at,
                    row.gave_up_at,
                )
                for row in connection.execute(query)
            ]

    def _now(self) -> str:
        return clock.to_text(self._clock())


def forget_old_calls(database: Database, now: datetime) -> int:
    """Delete calls that nobody made in time, long ago; how many."""
    limit = clock.to_text(now - FAILURES_KEPT)
    with database.write() as connection:
        statement = delete(webhook_calls).where(webhook_calls.c.until < limit)
        return int(connection.execute(statement).rowcount)
