"""One-time codes: the second thing, beside a link, that opens what a link alone does not.

The shop delivers a code by a channel of its own, so whoever has a link and no access to that
channel gets nothing more. A customer has one code at a time; it is kept as a keyed digest, is good
for minutes and a few tries, and is gone once used.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import ColumnElement, Connection, delete, or_, select, update

from features import clock
from features.clock import Clock, utc_now
from features.customers.pseudonyms import external_id_of
from features.database.engine import Database, insert_missing, upsert
from features.database.tables import customers, one_time_codes, wanted_codes
from features.errors import NotFound
from serving.access.caller import Caller

ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Signs that nobody takes for one another."""
LENGTH = 8
LIFE = timedelta(minutes=15)
TRIES = 5
ASKED_AGAIN_AFTER = timedelta(minutes=10)
"""A page can ask for a code of the same customer once within this time."""
WANTED_FOR = timedelta(hours=1)
"""Nobody waits for a code for longer."""


class GoodFor(StrEnum):
    """What a code opens."""

    PREFERENCES = "preferences"
    DATA = "data"
    ERASURE = "erasure"


@dataclass(frozen=True)
class Code:
    """A code as its maker sees it, once."""

    code: str
    good_for: str | None
    expires_at: str


@dataclass(frozen=True)
class Wanted:
    """A code that a customer asked for on a page of theirs."""

    customer_id: str
    good_for: str
    wanted_at: str


class OneTimeCodes:
    """The codes of one database, kept under a digest keyed with `secret`."""

    def __init__(self, database: Database, secret: str, clock: Clock = utc_now) -> None:
        self._database = database
        self._secret = f"sayso.code{secret}".encode()
        self._clock = clock

    def make(self, customer: int, good_for: GoodFor | None, caller: Caller) -> Code:
        """A new code of a customer in place of the one before; None is good for any page.

        Raises `NotFound` for a customer who was erased.
        """
        text = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
        expires_at = clock.to_text(self._clock() + LIFE)
        row = {
            "customer": customer,
            "digest": self._digest(customer, text),
            "good_for": good_for,
            "tries_left": TRIES,
            "expires_at": expires_at,
            "actor": caller.actor,
        }
        with self._database.write() as connection:
            _require_known(connection, customer)
            upsert(connection, one_time_codes, ("customer",), [row])
            connection.execute(delete(wanted_codes).where(wanted_codes.c.customer == customer))
        return Code(f"{text[:4]}-{text[4:]}", good_for and str(good_for), expires_at)

    def use(self, customer: int, good_for: GoodFor, said: str) -> bool:
        """Whether `said` is the customer's code for that; it is used up then, and one try poorer
        otherwise.
        """
        digest, now = self._digest(customer, _plain(said)), clock.to_text(self._clock())
        column = one_time_codes.c
        theirs = column.customer == customer
        fits = or_(column.good_for.is_(None), column.good_for == good_for)
        query = select(column.digest).where(
            theirs, fits, column.expires_at > now, column.tries_left > 0
        )
        with self._database.write() as connection:
            kept = connection.execute(query).scalar_one_or_none()
            if kept is None:
                return False
            if hmac.compare_digest(kept, digest):
                connection.execute(delete(one_time_codes).where(theirs))
                return True
            poorer = update(one_time_codes).where(theirs)
            connection.execute(poorer.values(tries_left=column.tries_left - 1))
            return False

    def ask(self, customer: int, good_for: GoodFor) -> bool:
        """Note that a customer wants a code, and whether that is new; soon after the last time
        nothing is noted.
        """
        now = self._clock()
        soon = clock.to_text(now - ASKED_AGAIN_AFTER)
        row = {
            "customer": customer,
            "good_for": str(good_for),
            "wanted_at": clock.to_text(now),
            "told_at": None,
        }
        column = wanted_codes.c
        with self._database.write() as connection:
            _require_known(connection, customer)
            connection.execute(
                delete(wanted_codes).where(column.customer == customer, column.wanted_at < soon)
            )
            insert_missing(connection, wanted_codes, ["customer"], [row])
            standing = select(column.wanted_at).where(column.customer == customer)
            return bool(connection.execute(standing).scalar_one() == row["wanted_at"])

    def wanted(self, *, untold: bool = False) -> list[Wanted]:
        """The codes that customers wait for, oldest first; with `untold` those that the shop was
        not called about yet.
        """
        column = wanted_codes.c
        since = clock.to_text(self._clock() - WANTED_FOR)
        query = (
            select(wanted_codes, customers.c.external_id)
            .join(customers, customers.c.customer == column.customer)
            .where(column.wanted_at >= since)
            .order_by(column.wanted_at)
        )
        with self._database.read() as connection:
            rows = connection.execute(query.where(column.told_at.is_(None)) if untold else query)
            return [Wanted(row.external_id, row.good_for, row.wanted_at) for row in rows]

    def claim(self, wanted: Wanted) -> bool:
        """Note that the shop is told of a code now; false where somebody else tells it."""
        told = clock.to_text(self._clock())
        return self._note_told(wanted, wanted_codes.c.told_at.is_(None), told)

    def release(self, wanted: Wanted) -> None:
        """Note that the shop could not be told."""
        self._note_told(wanted, wanted_codes.c.told_at.is_not(None), None)

    def _note_told(self, wanted: Wanted, rule: ColumnElement[bool], told_at: str | None) -> bool:
        column = wanted_codes.c
        whose = select(customers.c.customer).where(customers.c.external_id == wanted.customer_id)
        change = (
            update(wanted_codes)
            .where(column.customer.in_(whose), column.wanted_at == wanted.wanted_at, rule)
            .values(told_at=told_at)
        )
        with self._database.write() as connection:
            return bool(connection.execute(change).rowcount)

    def _digest(self, customer: int, text: str) -> str:
        """Keyed, as a code is short enough to be guessed from a bare digest."""
        return hmac.new(self._secret, f"{customer}:{text}".encode(), hashlib.sha256).hexdigest()


def forget_old_codes(database: Database, now: datetime) -> int:
    """Delete codes that ran out and wishes that nobody waits for; how many there were."""
    ended = one_time_codes.c.expires_at <= clock.to_text(now)
    stale = wanted_codes.c.wanted_at < clock.to_text(now - WANTED_FOR)
    with database.write() as connection:
        return sum(
            int(connection.execute(delete(table).where(rule)).rowcount)
            for table, rule in ((one_time_codes, ended), (wanted_codes, stale))
        )


def _plain(said: str) -> str:
    """A code as it was made, however it was typed."""
    return "".join(said.upper().replace("-", " ").split())


def _require_known(connection: Connection, customer: int) -> None:
    if external_id_of(connection, customer) is None:
        raise NotFound("There is no such customer.")
