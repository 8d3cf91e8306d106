"""What tests of the ledger share: a small catalog, events about it, and a look into the tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Executable, select, text

from features import clock as times
from features.catalog import Catalog, Category, DataSource, Field, Notice, Purpose
from features.clock import Clock
from features.consent.event import GRANTED
from features.consent.grants import granted_to
from features.consent.ledger import ConsentEvent, Ledger
from features.customers.master_keys import MasterKeys
from features.customers.pseudonyms import find
from features.customers.vault import Vault
from features.database.engine import Database

PURPOSES = ("advice", "forecast")
CATEGORIES = ("purchases", "location", "times")
NOON = datetime(2024, 6, 1, 12, tzinfo=UTC)
STATE_KEY = ("customer", "purpose", "category")


def catalog_of(
    purposes: Sequence[str] = PURPOSES,
    categories: Sequence[str] = CATEGORIES,
    notices: Sequence[Notice] | None = None,
    valid_days: Mapping[str, int] | None = None,
) -> Catalog:
    """A catalog in which every category is asked for every purpose; each has the notices 1 and 2,
    which speak of the future alone.
    """
    fields = [
        Field("transactions", name, name, frozenset(purposes), "ordinary", "orders", 10, name)
        for name in categories
    ]
    plain = [
        Notice(name, version, "en", f"{name} {version}", name)
        for name in purposes
        for version in ("1", "2")
    ]
    return Catalog(
        fields={field.name: field for field in fields},
        categories={name: Category(name, name, name) for name in categories},
        purposes={
            name: Purpose(name, name, name, (valid_days or {}).get(name)) for name in purposes
        },
        notices=tuple(plain if notices is None else notices),
        sources={"orders": DataSource("orders")},
    )


def advice(version: str, **others: Any) -> Notice:
    """A version of the notice for `advice`."""
    language = others.pop("language", "en")
    return Notice(
        "advice", version, language, others.pop("text", f"advice {version}"), "advice", **others
    )


def said(
    customer: str = "ann",
    action: str = GRANTED,
    purpose: str = "advice",
    category: str = "purchases",
    **others: Any,
) -> ConsentEvent:
    """One thing that a customer said, under version 1 of the notice unless `others` name
    another.
    """
    return replace(ConsentEvent(customer, purpose, category, action, "web_form", "1"), **others)


class Moments:
    """A clock that stands where a test puts it."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now

    def __call__(self) -> datetime:
        """The moment at which the clock was put."""
        return self.now


def vault_of(database: Database, folder: Path) -> Vault:
    """The vault of a database, with its master keys in `folder`."""
    return Vault(database, MasterKeys(folder / "master.keys"))


def ledger_of(
    database: Database, vault: Vault, clock: Clock, catalog: Catalog | None = None
) -> Ledger:
    """The ledger of a database, of the small catalog unless another is given."""
    return Ledger(database, catalog_of() if catalog is None else catalog, vault, clock)


def pseudonym_of(database: Database, customer: str) -> int:
    """The pseudonym of one of the shop's customers."""
    with database.read() as connection:
        found = find(connection, customer)
    assert found is not None
    return found


def granting(
    database: Database,
    clock: Clock,
    customer: str = "ann",
    purpose: str = "advice",
    catalog: Catalog | None = None,
) -> frozenset[str]:
    """What a customer of the shop grants now."""
    whose, now = pseudonym_of(database, customer), times.to_text(clock())
    with database.read() as connection:
        return granted_to(
            connection, catalog_of() if catalog is None else catalog, whose, purpose, now
        )


def rows_of(database: Database, table: Any) -> list[dict[str, Any]]:
    """All rows of a table, in the order of their `seq` where they have one."""
    query = select(table).order_by(table.c.seq) if "seq" in table.c else select(table)
    with database.read() as connection:
        return [dict(row) for row in connection.execute(query).mappings()]


def state_of(rows: Iterable[Mapping[str, Any]]) -> dict[tuple[Any, ...], dict[str, Any]]:
    """Rows of `consent_state` in the shape that `features.consent.grants.fold` gives."""
    return {
        tuple(row[name] for name in STATE_KEY): {
            name: row[name] for name in row if name not in STATE_KEY
        }
        for row in rows
    }


def drop_triggers(connection: Connection) -> None:
    """Take away what refuses changes, as somebody with access to the database could."""
    if connection.dialect.name == "postgresql":
        connection.execute(
            text("DROP TRIGGER IF EXISTS consent_events_append_only ON consent_events")
        )
        return
    for trigger in (
        connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'"))
        .scalars()
        .all()
    ):
        connection.execute(text(f"DROP TRIGGER {trigger}"))


def tampered(database: Database, *statements: str | Executable) -> None:
    """Run statements on the ledger with its triggers gone."""
    with database.write() as connection:
        drop_triggers(connection)
        for statement in statements:
            connection.execute(text(statement) if isinstance(statement, str) else statement)
