"""What the console counts: today's decisions, and how many customers allow what."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, select

from features import clock
from features.consent.grants import in_force
from features.customers.pseudonyms import numbers_of
from features.database.tables import consent_state, customers, decisions
from features.shop.shop import Shop

MOST_LISTED = 100


@dataclass(frozen=True)
class DecisionLine:
    """One decision in a list."""

    id: str
    kind: str
    created_at: str
    model: str | None


@dataclass(frozen=True)
class Decided:
    """Decisions of a day: how many of each kind, and the newest of them."""

    counts: tuple[tuple[str, int], ...]
    newest: tuple[DecisionLine, ...]


@dataclass(frozen=True)
class Allowed:
    """How many customers allow one category for one purpose, and how many were asked; `share` is of
    all customers, 0 to 100.
    """

    label: str
    allowed: int
    asked: int
    share: int


@dataclass(frozen=True)
class AllowedFor:
    """The categories of one purpose."""

    purpose: str
    label: str
    categories: tuple[Allowed, ...]


def decided_today(shop: Shop) -> Decided:
    """The decisions since midnight (UTC)."""
    today = clock.to_text(
        datetime.combine(shop.clock().astimezone(UTC).date(), datetime.min.time(), UTC)
    )
    column = decisions.c
    with shop.database.read() as connection:
        counts = connection.execute(
            select(column.kind, func.count())
            .where(column.created_at >= today)
            .group_by(column.kind)
        ).all()
        newest = (
            select(decisions)
            .where(column.created_at >= today)
            .order_by(column.seq.desc())
            .limit(MOST_LISTED)
        )
        return Decided(
            tuple(sorted((kind, int(count)) for kind, count in counts)),
            lines(connection.execute(newest).all()),
        )


def decided_about(shop: Shop, customer: int) -> tuple[DecisionLine, ...]:
    """The newest decisions about a customer."""
    with shop.database.read() as connection:
        query = (
            select(decisions)
            .where(decisions.c.customer.in_(numbers_of(connection, customer)))
            .order_by(decisions.c.created_at.desc())
            .limit(MOST_LISTED)
        )
        return lines(connection.execute(query).all())


def lines(rows: Iterable[Row[Any]]) -> tuple[DecisionLine, ...]:
    """Rows of the table of decisions as lines of a list."""
    return tuple(DecisionLine(row.id, row.kind, row.created_at, _model(row)) for row in rows)


def _model(row: Row[Any]) -> str | None:
    return f"{row.model_name} {row.model_version}" if row.model_name else None


def allowed_by_purpose(shop: Shop) -> tuple[AllowedFor, ...]:
    """Grants in force at this moment, of everybody."""
    catalog, now = shop.config.catalog, clock.to_text(shop.clock())
    with shop.database.read() as connection:
        everybody = int(
            connection.execute(select(func.count()).select_from(customers)).scalar_one()
        )
        found = []
        for purpose in catalog.purposes.values():
            granted = _counted(connection, in_force(catalog, purpose.name, now))
            asked = _counted(connection, consent_state.c.purpose == purpose.name)
            categories = tuple(
                Allowed(
                    catalog.categories[name].label,
                    granted.get(name, 0),
                    asked.get(name, 0),
                    _share(granted.get(name, 0), everybody),
                )
                for name in catalog.askable(purpose.name)
            )
            found.append(AllowedFor(purpose.name, purpose.label, categories))
    return tuple(found)


def _counted(connection: Connection, rule: ColumnElement[bool]) -> dict[str, int]:
    category = consent_state.c.category
    query = select(category, func.count()).where(rule).group_by(category)
    return {name: int(count) for name, count in connection.execute(query)}


def _share(part: int, whole: int) -> int:
    return round(100 * part / whole) if whole else 0
