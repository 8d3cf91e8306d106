"""How a shop's own database is opened: by its address, to read alone. What the address holds of a
password is shown to nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Protocol

import duckdb
from sqlalchemy import URL, Connection, CursorResult, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from features.config.environment import filled
from features.config.sources import Source
from features.errors import SourceError

ROWS_AT_ONCE = 20_000
WAIT_SECONDS = 10
DRIVERS = {
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "sqlite": "sqlite",
    "duckdb": "duckdb",
}
EXTRAS = {"postgresql+psycopg": "postgres", "mysql+pymysql": "mysql"}
"""What has to be installed beside Sayso for some of them."""
READ_ONLY = {
    "postgresql": "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
    "mysql": "SET SESSION TRANSACTION READ ONLY",
    "sqlite": "PRAGMA query_only = ON",
}
Rows = tuple[list[str], Iterator[Sequence[Any]]]


class Reader(Protocol):
    """An open database."""

    mark: str
    """Stands before and after a name."""

    def rows(self, query: str, values: Mapping[str, object]) -> Rows:
        """The names of the columns of a query with `:name` for `values`, and its rows."""


@contextmanager
def reading(source: Source) -> Iterator[Reader]:
    """The database of a source.

    Raises `SourceError` where it cannot be opened, or a query fails within.
    """
    try:
        url = make_url(filled(source.url or ""))
    except KeyError as missing:
        raise _fault(
            source, f"the environment has no variable {missing}, which `url` names; set it"
        ) from None
    except ArgumentError:
        raise _fault(source, "`url` is no address such as postgres://reader@host/shop") from None
    driver = DRIVERS.get(url.drivername)
    if driver is None:
        known = ", ".join(sorted(DRIVERS))
        raise _fault(source, f"`url` begins with {url.drivername!r}; known are {known}")
    try:
        if driver == "duckdb":
            with duckdb.connect(_file_of(source, url), read_only=True) as connection:
                yield _DuckDb(connection)
        else:
            yield from _by_sqlalchemy(source, url.set(drivername=driver))
    except ModuleNotFoundError as missing:
        raise _fault(
            source,
            f"the driver {missing.name!r} is not installed; install it with"
            f" `pip install 'sayso[{EXTRAS.get(driver, driver)}]'`",
        ) from None
    except (SQLAlchemyError, duckdb.Error) as error:
        raise _fault(source, _told(error, url)) from None


def _by_sqlalchemy(source: Source, url: URL) -> Iterator[Reader]:
    if url.get_backend_name() == "sqlite":
        file = _file_of(source, url)
        url = url.set(database=f"file:{file}", query={"mode": "ro", "uri": "true"})
    engine = create_engine(url, poolclass=NullPool, connect_args=_arguments(url))

    @event.listens_for(engine, "connect")
    def read_only(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        cursor.execute(READ_ONLY[url.get_backend_name()])
        cursor.close()
        connection.commit()

    try:
        with engine.connect() as connection, closing(_SqlAlchemy(connection)) as reader:
            yield reader
    finally:
        engine.dispose()


def _arguments(url: URL) -> dict[str, Any]:
    return {} if url.get_backend_name() == "sqlite" else {"connect_timeout": WAIT_SECONDS}


class _SqlAlchemy:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._found: list[CursorResult[Any]] = []
        self.mark = connection.dialect.identifier_preparer.initial_quote

    def close(self) -> None:
        """Let go of all rows that were asked for."""
        for found in self._found:
            found.close()

    def rows(self, query: str, values: Mapping[str, object]) -> Rows:
        stated = text(query).bindparams(**values) if values else text(query)
        options = {"stream_results": True, "max_row_buffer": ROWS_AT_ONCE}
        found = self._connection.execute(stated, execution_options=options)
        self._found.append(found)
        return list(found.keys()), (tuple(row) for row in found)


class _DuckDb:
    mark = '"'

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def rows(self, query: str, values: Mapping[str, object]) -> Rows:
        for name in values:
            query = query.replace(f":{name}", f"${name}")
        found = self._connection.execute(query, dict(values) or None)
        names = [str(column[0]) for column in found.description or ()]
        return names, _fetched(found.fetchmany)


def _fetched(more: Callable[[int], list[Any]]) -> Iterator[Sequence[Any]]:
    while rows := more(ROWS_AT_ONCE):
        yield from rows


def _file_of(source: Source, url: URL) -> str:
    """The file of an embedded database. Raises `SourceError` where it is not there."""
    host, path = url.host or "", url.database or ""
    file = Path(host) / path if host else Path(path)
    if not file.is_file():
        raise _fault(source, f"there is no database file {file}; correct `url`")
    return str(file)


def _told(error: Exception, url: URL) -> str:
    """What went wrong, in the database's words but for what is secret."""
    words = str(getattr(error, "orig", None) or error).strip().splitlines()
    first = words[0] if words else type(error).__name__
    for secret in (url.password, url.render_as_string(hide_password=False)):
        first = first.replace(str(secret), "***") if secret else first
    where = url.host or url.database or url.drivername
    return (
        f"the database at {where} refuses: {first}. Correct `url`, `query`, `database_table` or"
        " `watermark` in sayso.toml, or let the database's owner give the reader what it lacks"
    )


def _fault(source: Source, words: str) -> SourceError:
    return SourceError(
        f"the source `{source.name}` cannot be read: {words}", file=Path("sayso.toml")
    )
