"""A SQLite file that may be moved, replaced or lost while connections to it are open.

A connection goes on with the file that it opened, whatever stands under its name now. It would
answer from what is no longer there, and acknowledge a withdrawal that nobody finds again. So each
connection is held to the file that stands under the name, and a file that is gone is never silently
begun anew.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, event
from sqlalchemy.exc import DisconnectionError

from features.errors import SaysoError

Identity = tuple[int, int] | None
_IDENTITY = "sayso_file"


class DatabaseGone(SaysoError):
    """The database's file is not where it was."""


def file_of(url: URL) -> Path | None:
    """The file of a SQLite database; None where it is kept in memory."""
    return (
        Path(url.database)
        if url.database and url.database != ":memory:" and not url.database.startswith("file:")
        else None
    )


def hold_to(engine: Engine, file: Path) -> None:
    """Keep the connections of `engine` to the file that stands under the name `file`."""

    @event.listens_for(engine, "do_connect")
    def _refuse_absent(*_arguments: Any) -> None:
        if not file.exists():
            raise DatabaseGone(f"the database {file} is gone; put it back, and answers go on")

    @event.listens_for(engine, "connect")
    def _note(_connection: Any, record: Any) -> None:
        record.info[_IDENTITY] = _identity(file)

    @event.listens_for(engine, "checkout")
    def _reopen_changed(_connection: Any, record: Any, _proxy: Any) -> None:
        if record.info[_IDENTITY] != _identity(file):
            raise DisconnectionError(f"{file} is another file now")

    @event.listens_for(engine, "commit")
    def _refuse_changed(connection: Connection) -> None:
        if connection.info[_IDENTITY] != _identity(file):
            raise DatabaseGone(
                f"the database {file} was moved or replaced during a transaction, which was not"
                " committed"
            )


def _identity(file: Path) -> Identity:
    """What tells a file from another one under the same name; None where there is none."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
