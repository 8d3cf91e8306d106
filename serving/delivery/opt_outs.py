"""Opt-outs: what a customer does not want to be shown, or not to be done at all."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

from sqlalchemy import (
    ColumnElement,
    Connection,
    Subquery,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
)

from features import clock
from features.clock import Clock, utc_now
from features.database.caller import note_recorded
from features.database.engine import Database
from features.database.tables import opt_outs
from features.errors import NotFound, SaysoError
from serving.delivery.contact_policy import Cap, cap_of

Scope = Literal["all", "purpose", "channel", "product", "product_category", "brand", "frequency"]
FREQUENCY: Literal["frequency"] = "frequency"
SCOPES: tuple[str, ...] = get_args(Scope)
HIDING: tuple[Scope, ...] = ("product", "product_category", "brand")
MOST_IN_FORCE = 1_000
"""Opt-outs of one customer at a time: so many that hide something and, so that these never stand in
the way of silence, so many others.
"""


class TooManyOptOuts(SaysoError):
    """A customer has as many opt-outs in force as there may be."""


@dataclass(frozen=True)
class OptOut:
    """One opt-out.

    `value` names the purpose, channel, product, product category or brand; an opt-out from `all`
    has none.

    That of scope `frequency` is a cap of the customer's own, such as `email:1/7`
    (`serving.delivery.contact_policy`).
    """

    id: str
    scope: str
    value: str | None
    until: str | None
    created_at: str


class OptOuts:
    """The opt-outs of one database."""

    def __init__(self, database: Database, clock: Clock = utc_now) -> None:
        self._database = database
        self._clock = clock

    def add(
        self,
        customer: int,
        scope: Scope,
        value: str | None,
        until: str | None,
        *,
        once: str | None = None,
        actor: str | None = None,
    ) -> OptOut:
        """Write an opt-out, and who said so; once this returns it is durable.

        The same one twice is one, as are two with the same text `once`.

        Raises `TooManyOptOuts`.
        """
        id = "opt_" + _told_once(customer, scope, value, once) if once else new_id()
        now = clock.to_text(self._clock())
        with self._database.write() as connection:
            made = write(connection, customer, scope, value, until, now, id, actor)
            if made.id == id:
                _require_room(connection, customer, scope, now)
            return made

    def limit(self, customer: int, cap: Cap, actor: str | None = None) -> OptOut:
        """Keep a customer's own cap in place of those that they had on the same channel.

        Raises `TooManyOptOuts`.
        """
        now = clock.to_text(self._clock())
        with self._database.write() as connection:
            _lift(connection, customer, cap.channel, now)
            made = write(connection, customer, FREQUENCY, cap.text, None, now, actor=actor)
            _require_room(connection, customer, FREQUENCY, now)
            return made

    def lift(self, customer: int, channel: str) -> None:
        """Take back a customer's own caps on a channel."""
        with self._database.write() as connection:
            _lift(connection, customer, channel, clock.to_text(self._clock()))

    def of(self, customer: int) -> Sequence[OptOut]:
        """A customer's opt-outs in force, oldest first."""
        with self._database.read() as connection:
            return in_force(connection, customer, clock.to_text(self._clock()))

    def remove(self, id: str) -> None:
        """Take an opt-out back. Raises `NotFound`."""
        with self._database.write() as connection:
            if not connection.execute(delete(opt_outs).where(opt_outs.c.id == id)).rowcount:
                raise NotFound("There is no such opt-out.")


@dataclass(frozen=True)
class Wish:
    """An opt-out that a customer is to have, in force until `until` (None: without an end)."""

    customer: int
    scope: Scope
    value: str
    until: str | None = None


def write_wishes(
    connection: Connection, wishes: Sequence[Wish], now: str, actor: str | None
) -> None:
    """Write the opt-outs that are wished for, within a transaction that is already open.

    One that stands already, for as long or longer, is not written again, nor is one more that
    hides something where a customer has `MOST_IN_FORCE` of those.
    """
    standing = _standing(connection, {wish.customer for wish in wishes}, now)
    rows = []
    for wish in wishes:
        theirs = standing[wish.customer]
        if wish.until is not None and wish.until <= now:
            continue
        same = [until for *what, until in theirs if what == [wish.scope, wish.value]]
        if any(until is None or until >= (wish.until or ENDLESS) for until in same):
            continue
        hiding = sum(scope in HIDING for scope, _, _ in theirs)
        if wish.scope in HIDING and hiding >= MOST_IN_FORCE:
            continue
        theirs.append((wish.scope, wish.value, wish.until))
        rows.append({**vars(wish), "id": new_id(), "created_at": now, "actor": actor})
    if rows:
        connection.execute(insert(opt_outs), rows)
    for row in rows:
        note_recorded("opt_out", row["id"])


ENDLESS = "9999"
"""Later than every moment that is written down."""


def _standing(
    connection: Connection, customers: Collection[int], now: str
) -> dict[int, list[tuple[str, str | None, str | None]]]:
    """Scope, value and end of the opt-outs in force of several customers."""
    column = opt_outs.c
    query = select(column.customer, column.scope, column.value, column.until).where(
        column.customer.in_(customers), or_(column.until.is_(None), column.until > now)
    )
    found: dict[int, list[tuple[str, str | None, str | None]]] = {one: [] for one in customers}
    for customer, *said in connection.execute(query):
        found[customer].append((said[0], said[1], said[2]))
    return found


def new_id() -> str:
    """An opt-out's id."""
    return "opt_" + secrets.token_hex(12)


def write(
    connection: Connection,
    customer: int,
    scope: Scope,
    value: str | None,
    until: str | None,
    now: str,
    id: str = "",
    actor: str | None = None,
) -> OptOut:
    """Write an opt-out within a transaction that is already open; the same one twice is one, as are
    two with the same `id`.
    """
    for permissions in in_force(connection, customer, now):
        if permissions.id == id or (permissions.scope, permissions.value, permissions.until) == (
            scope,
            value,
            until,
        ):
            return permissions
    made = OptOut(id or new_id(), scope, value, until, now)
    connection.execute(insert(opt_outs).values(customer=customer, actor=actor, **vars(made)))
    note_recorded("opt_out", made.id)
    return made


def _require_room(connection: Connection, customer: int, scope: Scope, now: str) -> None:
    """Raises `TooManyOptOuts`, which undoes the transaction, where more than `MOST_IN_FORCE`
    stand.
    """
    hiding = opt_outs.c.scope.in_(HIDING)
    of_its_kind = hiding if scope in HIDING else ~hiding
    count = connection.execute(
        select(func.count())
        .select_from(opt_outs)
        .where(_stands([literal(customer)], now), of_its_kind)
    ).scalar_one()
    if count > MOST_IN_FORCE:
        raise TooManyOptOuts(
            f"This customer has {MOST_IN_FORCE:,} opt-outs in force, and there may be no more. Take"
            " back what is not needed any more, or hide a department or a brand instead of its"
            " products."
        )


def _lift(connection: Connection, customer: int, channel: str, now: str) -> None:
    for permissions in in_force(connection, customer, now):
        if (
            permissions.scope == FREQUENCY
            and permissions.value is not None
            and cap_of(permissions.value).channel == channel
        ):
            connection.execute(delete(opt_outs).where(opt_outs.c.id == permissions.id))


def own_caps(permissions: Sequence[OptOut]) -> list[Cap]:
    """The caps of a customer's own among their opt-outs, oldest first."""
    return [
        cap_of(opt_out.value)
        for opt_out in permissions
        if opt_out.scope == FREQUENCY and opt_out.value is not None
    ]


def _told_once(customer: int, scope: str, value: str | None, once: str) -> str:
    return hashlib.sha256(json.dumps([customer, scope, value, once]).encode()).hexdigest()[:24]


def in_force(connection: Connection, customer: int, now: str) -> list[OptOut]:
    """A customer's opt-outs at the moment `now`, within a transaction that is already open."""
    stated = opt_outs_in_force([literal(customer)], now)
    query = select(stated).order_by(stated.c.created_at, stated.c.id)
    return [OptOut(*row[1:]) for row in connection.execute(query).all()]


def opt_outs_of_all(
    connection: Connection,
    scopes: Collection[Scope],
    now: str,
    among: Collection[int] | None = None,
) -> list[Stated]:
    """The opt-outs of some `scopes` that are in force at the moment `now`, of everybody, or of the
    customers `among`.
    """
    column = opt_outs.c
    query = select(column.customer, column.scope, column.value, column.id).where(
        column.scope.in_(scopes), or_(column.until.is_(None), column.until > now)
    )
    if among is not None:
        query = query.where(column.customer.in_(among))
    return [Stated(*row) for row in connection.execute(query)]


class Stated(NamedTuple):
    """Whose an opt-out is, and what it says."""

    customer: int
    scope: str
    value: str | None
    id: str


def opt_outs_in_force(
    customers: Sequence[ColumnElement[int]], now: str | ColumnElement[str]
) -> Subquery:
    """Whose each is, and what an `OptOut` holds of it, of those of some customers, as a part of a
    larger query.
    """
    column = opt_outs.c
    query = select(
        column.customer, column.id, column.scope, column.value, column.until, column.created_at
    )
    return query.where(_stands(customers, now)).subquery()


def _stands(
    customers: Sequence[ColumnElement[int]], now: str | ColumnElement[str]
) -> ColumnElement[bool]:
    column = opt_outs.c
    return column.customer.in_(customers) & or_(column.until.is_(None), column.until > now)
