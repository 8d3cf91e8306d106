"""What the database itself refuses to do to the ledger, as long as nobody removes its triggers."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from features.database.engine import Database

COLUMNS = (
    "seq, customer, purpose, category, action, method, actor, occurred_at, received_at,"
    " idempotency_key, previous_hash, hash"
)
INTO = f"INTO consent_events ({COLUMNS}) SELECT {COLUMNS} FROM consent_events WHERE seq = 1"  # noqa: S608 - our own names
EVERYWHERE = {
    "UPDATE": "UPDATE consent_events SET action = 'granted' WHERE seq = 1",
    "UPDATE of a place": "UPDATE consent_events SET seq = seq + 1000000",
    "DELETE": "DELETE FROM consent_events WHERE seq = 1",
    "DELETE of everything": "DELETE FROM consent_events",
    "INSERT with ON CONFLICT DO UPDATE": (
        f"INSERT {INTO} ON CONFLICT (seq) DO UPDATE SET action = 'granted'"
    ),
}
ONLY_SQLITE = {
    "INSERT OR REPLACE": f"INSERT OR REPLACE {INTO}",
    "REPLACE": f"REPLACE {INTO}",
    "UPDATE OR REPLACE": "UPDATE OR REPLACE consent_events SET seq = 1 WHERE seq = 2",
}
ONLY_POSTGRESQL = {
    "TRUNCATE": "TRUNCATE consent_events",
    "TRUNCATE CASCADE": "TRUNCATE consent_events RESTART IDENTITY CASCADE",
}


def accepted_changes(database: Database) -> list[str]:
    """Names of the statements that the database did not refuse; none, as it should be."""
    return [
        name
        for name, statement in statements(database).items()
        if not _refused(database, statement)
    ]


def statements(database: Database) -> Mapping[str, str]:
    """Ways to change or remove what is in the ledger."""
    return EVERYWHERE | (
        ONLY_SQLITE if database.engine.dialect.name == "sqlite" else ONLY_POSTGRESQL
    )


def _refused(database: Database, statement: str) -> bool:
    """Whether it is refused for the right reason, and the ledger is the same afterwards."""
    before = _all(database)
    try:
        with database.write() as connection:
            connection.execute(text(statement))
    except DBAPIError as error:
        return "append-only" in str(error.orig) and _all(database) == before
    return False


def _all(database: Database) -> list[tuple[object, ...]]:
    with database.read() as connection:
        return [
            tuple(row)
            for row in connection.execute(text("SELECT * FROM consent_events ORDER BY seq"))
        ]
