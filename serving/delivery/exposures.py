"""What was shown to whom, as far as the contact policy needs it: when, on which channel, how
many products, how many of them discoveries.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, func, insert, select

from features import clock
from features.database.engine import Database
from features.database.prepared import Prepared
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


def record_exposure(
    connection: Connection, decision_id: str, customer: int, exposure: Exposure, now: str
) -> None:
    """Record it within the transaction that records the decision."""
    _RECORD.run(
        connection, decision_id=decision_id, customer=customer, shown_at=now, **vars(exposure)
    )


_RECORD = Prepared(insert(exposures), exposures.c.keys())


def exposures_since(
    connection: Connection, customer: int, channel: str, since: datetime
) -> list[datetime]:
    """When a customer was shown something on a channel, since some moment."""
    found = _SINCE.rows(connection, customer=customer, channel=channel, since=clock.to_text(since))
    return [clock.from_text(text) for (text,) in found]


_SINCE = Prepared(
    select(exposures.c.shown_at).where(
        exposures.c.customer == bindparam("customer"),
        exposures.c.channel == bindparam("channel"),
        exposures.c.shown_at >= bindparam("since"),
    )
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
