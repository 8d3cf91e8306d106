"""What was shown to whom, as far as the contact policy needs it: when, on which channel, how
many products, how many of them discoveries.

An answer reserves its place under a cap, and an event confirms that it was shown. A reservation
that nobody confirms lapses after `LAPSES_AFTER`, but only on a channel of which the shop tells what
was shown: one of which it told within `REPORTS_WITHIN`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import (
    BigInteger,
    Connection,
    String,
    bindparam,
    exists,
    false,
    func,
    insert,
    not_,
    or_,
    select,
    update,
)

from features import clock
from features.database.engine import Database, upsert
from features.database.prepared import Prepared, PreparedForMany
from features.database.tables import exposures, reporting_channels

REPORTED = timedelta(days=30)
LAPSES_AFTER = timedelta(hours=48)
REPORTS_WITHIN = timedelta(days=7)


@dataclass(frozen=True)
class Exposure:
    """Products on a channel, and how many of them were discoveries; `shown_at` is when they are to
    be shown, None for at once.
    """

    channel: str
    places: int
    explored: int
    shown_at: str | None = None


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
    decisions; it is to be confirmed.
    """
    rows = [
        {
            "decision_id": decision_id,
            "customer": customer,
            "confirmed": False,
            **vars(exposure),
            "shown_at": exposure.shown_at or now,
        }
        for decision_id, customer, exposure in shown
    ]
    if rows:
        _RECORD.run_all(connection, rows)


_RECORD = Prepared(insert(exposures), exposures.c.keys())


def confirm(connection: Connection, decisions: Collection[str]) -> None:
    """Note that what these decisions list was shown, within a transaction that writes."""
    column = exposures.c
    rule = (column.decision_id.in_(decisions), column.confirmed == false())
    if decisions:
        connection.execute(update(exposures).where(*rule).values(confirmed=True))


def note_reporting(connection: Connection, channels: Collection[str], now: str) -> None:
    """Note that the shop tells what is shown on these channels, within a transaction that
    writes.
    """
    rows = [{"channel": channel, "told_at": now} for channel in sorted(channels)]
    if rows:
        upsert(connection, reporting_channels, ["channel"], rows)


def channels_of(connection: Connection, decisions: Collection[str]) -> dict[str, str]:
    """On which channel decisions, by id, showed something to somebody known."""
    query = select(exposures.c.decision_id, exposures.c.channel)
    found = connection.execute(query.where(exposures.c.decision_id.in_(decisions)))
    return {row.decision_id: row.channel for row in found.all()}


def exposures_since(
    connection: Connection,
    customers: Sequence[int],
    channel: str,
    since: datetime,
    now: datetime,
) -> dict[int, list[datetime]]:
    """When customers were shown something on a channel, or are to be, since some moment, by
    customer; what lapsed by the moment `now` is left out.
    """
    found: dict[int, list[datetime]] = {customer: [] for customer in customers}
    rows = _SINCE.rows(
        connection,
        list(found),
        channel=channel,
        since=clock.to_text(since),
        unconfirmed_since=clock.to_text(now - LAPSES_AFTER),
        told_since=clock.to_text(now - REPORTS_WITHIN),
    )
    for customer, text in rows:
        found[customer].append(clock.from_text(text))
    return found


def exposures_on(
    connection: Connection, channel: str, since: datetime, now: datetime
) -> dict[int, list[datetime]]:
    """As `exposures_since`, of everybody who was shown something."""
    values = {
        "channel": channel,
        "since": clock.to_text(since),
        "unconfirmed_since": clock.to_text(now - LAPSES_AFTER),
        "told_since": clock.to_text(now - REPORTS_WITHIN),
    }
    found: dict[int, list[datetime]] = {}
    for customer, text in connection.execute(_OF_ALL, values):
        found.setdefault(customer, []).append(clock.from_text(text))
    return found


_REPORTING = exists().where(
    reporting_channels.c.channel == exposures.c.channel,
    reporting_channels.c.told_at >= bindparam("told_since", type_=String),
)
_OF_ALL = select(exposures.c.customer, exposures.c.shown_at).where(
    exposures.c.channel == bindparam("channel"),
    exposures.c.shown_at >= bindparam("since"),
    or_(
        exposures.c.confirmed,
        exposures.c.shown_at >= bindparam("unconfirmed_since", type_=String),
        not_(_REPORTING),
    ),
)
_SINCE = PreparedForMany(
    lambda asked: _OF_ALL.where(exposures.c.customer.in_(asked)),
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
