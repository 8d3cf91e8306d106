"""What was shown to whom, as far as the contact policy needs it: when, on which channel, how
many products, how many of them discoveries.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import BigInteger, Connection, bindparam, func, insert, select

from features import clock
from features.database.engine import Database
from features.database.prepared import Prepared, PreparedForMany
from features.database.tables import exposures

REPORTED = timedelta(days=30)


@dataclass(frozen=True)
class Exposure:
    """Products on a channel, and how many of them were discoveries."""

    channel: str
    places: int
    explored: int


@dataclass(frozen=True)
class Discoveries:
    """Places of lists that known customers were shown lately, and how many of them were
    discoveries.
    """

    places: int
    explored: int

    @property
    def share(self) -> float:
        """The share of discoveries, 0 where nothing was shown."""
        return self.explored / self.places if self.places else 0.0


def record_exposures(
    connection: Connection, shown: Iterable[tuple[str, int, Exposure]], now: str
) -> None:
    """Record what was shown, each by decision and to whom, within the transaction that records the
    decisions.
    """
    rows = [
        {"decision_id": decision_id, "customer": customer, "shown_at": now, **vars(exposure)}
        for decision_id, customer, exposure in shown
    ]
    if rows:
        _RECORD.run_all(connection, rows)


_RECORD = Prepared(insert(exposures), exposures.c.keys())


def exposures_since(
    connection: Connection, customers: Sequence[int], channel: str, since: datetime
) -> dict[int, list[datetime]]:
    """When customers were shown something on a channel, since some moment; by customer."""
    found: dict[int, list[datetime]] = {customer: [] for customer in customers}
    named = {"channel": channel, "since": clock.to_text(since)}
    for customer, text in _SINCE.rows(connection, list(found), **named):
        found[customer].append(clock.from_text(text))
    return found


_SINCE = PreparedForMany(
    lambda asked: select(exposures.c.customer, exposures.c.shown_at).where(
        exposures.c.customer.in_(asked),
        exposures.c.channel == bindparam("channel"),
        exposures.c.shown_at >= bindparam("since"),
    ),
    BigInteger(),
)


def discoveries(database: Database, now: datetime) -> Discoveries:
    """The 30 days before `now`."""
    since = clock.to_text(now - REPORTED)
    totals = select(
        func.coalesce(func.sum(exposures.c.places), 0),
        func.coalesce(func.sum(exposures.c.explored), 0),
    )
    with database.read() as connection:
        places, explored = connection.execute(totals.where(exposures.c.shown_at >= since)).one()
    return Discoveries(int(places), int(explored))
