"""What tells one database from another, and what makes one that was moved read-only."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, inspect, make_url, select, update

from features import clock
from features.database.copying import clear
from features.database.engine import Database
from features.database.tables import database_identity

ONE_ROW = 1
READ_ONLY = "moved_read_only"
"""What the names of the triggers begin with that keep a moved database as it was."""


@dataclass(frozen=True)
class Identity:
    """A database's `id`, the one it is a copy of, and the one that took its place, if any."""

    id: str
    came_from: str | None
    moved_to: str | None
    moved_where: str | None


def new_identity() -> str:
    """An id that no other database has."""
    return "db_" + secrets.token_hex(16)


def identity_of(connection: Connection) -> Identity | None:
    """The identity of a database; None for one that was never given any."""
    if not inspect(connection).has_table(database_identity.name):
        return None
    row = connection.execute(select(database_identity)).one_or_none()
    return None if row is None else Identity(row.id, row.came_from, row.moved_to, row.moved_where)


def give_identity(
    connection: Connection, now: datetime, id: str | None = None, came_from: str | None = None
) -> Identity:
    """Give a database its identity, unless it has one already; within a transaction that writes."""
    if (found := identity_of(connection)) is not None:
        return found
    made = Identity(id or new_identity(), came_from, None, None)
    row = {
        "one_row": ONE_ROW,
        "id": made.id,
        "made_at": clock.to_text(now),
        "came_from": came_from,
    }
    connection.execute(insert(database_identity).values(**row))
    return made


def mark_moved(connection: Connection, to: str, where: str, now: datetime) -> None:
    """Note which database took the place of this one, and refuse every change from now on."""
    moved = {"moved_to": to, "moved_where": where, "moved_at": clock.to_text(now)}
    connection.execute(update(database_identity).values(**moved))
    _refuse_changes(connection, _moved_words(where))


def empty_moved(database: Database) -> bool:
    """Remove all that a database holds that was moved, but for the note where to, and the bytes of
    it from its file. Whether anything was removed: what was never moved is left as it is.
    """
    with database.write() as connection:
        found = identity_of(connection)
        if found is None or found.moved_to is None:
            return False
        row = connection.execute(select(database_identity)).mappings().one()
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql(f"DROP FUNCTION IF EXISTS {READ_ONLY}() CASCADE")
        clear(connection)
        database_identity.create(connection)
        connection.execute(insert(database_identity).values(**row))
        _refuse_changes(connection, _moved_words(str(found.moved_where)))
    database.shrink()
    return True


def without_password(url: str) -> str:
    """An address as it may be shown."""
    return make_url(url).render_as_string(hide_password=True)


def _moved_words(where: str) -> str:
    return f"this database was moved to {where} and is read-only".replace("'", "")


def _refuse_changes(connection: Connection, why: str) -> None:
    names = sorted(inspect(connection).get_table_names())
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(
            f"CREATE FUNCTION {READ_ONLY}() RETURNS trigger LANGUAGE plpgsql AS"
            f" $$ BEGIN RAISE EXCEPTION '{why.replace('%', '%%')}'; END $$"
        )
        for name in names:
            connection.exec_driver_sql(
                f"CREATE TRIGGER {READ_ONLY} BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE"
                f' ON "{name}" FOR EACH STATEMENT EXECUTE FUNCTION {READ_ONLY}()'
            )
        return
    for name in names:
        for change in ("INSERT", "UPDATE", "DELETE"):
            connection.exec_driver_sql(
                f'CREATE TRIGGER "{READ_ONLY}_{name}_{change.lower()}" BEFORE {change} ON "{name}"'
                f" BEGIN SELECT RAISE(ABORT, '{why}'); END"
            )
