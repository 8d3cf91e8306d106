"""Statements whose SQL is made once, and handed to the driver as it is.

An expression of SQLAlchemy takes fifty times as long to build and compile as SQLite takes to answer
it. What every answer asks is therefore written down as an expression like all else, and turned into
SQL when it is asked for the first time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import BindParameter, Connection, Executable, bindparam
from sqlalchemy.engine.interfaces import Compiled
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import TypeEngine

AT_ONCE = 64
"""Of how many customers a statement asks together."""


class Prepared:
    """One statement, whose values are named by its bind parameters.

    For an insert, `columns` are those that are given values.
    """

    def __init__(self, statement: Executable, columns: Sequence[str] | None = None) -> None:
        self._statement = statement
        self._columns = columns
        self._made: dict[str, _Made] = {}

    def rows(self, connection: Connection, **values: Any) -> list[tuple[Any, ...]]:
        """What a query finds, as the driver gives it. Raises what SQLAlchemy raises."""
        made = self._for(connection)
        found: list[tuple[Any, ...]] = run(connection, made.sql, made.given(values)).fetchall()
        return found

    def row(self, connection: Connection, **values: Any) -> tuple[Any, ...] | None:
        """The one row that a query finds; None where it finds none."""
        found = self.rows(connection, **values)
        return found[0] if found else None

    def run(self, connection: Connection, **values: Any) -> None:
        """Have the statement done; as `rows`, for what finds nothing."""
        made = self._for(connection)
        run(connection, made.sql, made.given(values))

    def run_all(self, connection: Connection, rows: Iterable[Mapping[str, Any]]) -> None:
        """Have the statement done with the values of each of `rows`."""
        made = self._for(connection)
        run(connection, made.sql, [made.given(row) for row in rows], many=True)

    def _for(self, connection: Connection) -> _Made:
        name = connection.dialect.name
        if name not in self._made:
            compiled = self._statement.compile(  # type: ignore[attr-defined]  # every one has it
                dialect=connection.dialect, column_keys=self._columns
            )
            self._made[name] = _Made(compiled)
        return self._made[name]


class PreparedForMany:
    """A query about one thing or about several, whose names are what `make` is handed."""

    def __init__(
        self, make: Callable[[Sequence[BindParameter[Any]]], Executable], kind: TypeEngine[Any]
    ) -> None:
        self._of_one, self._of_several = (
            Prepared(make([bindparam(f"asked_{at}", type_=kind) for at in range(width)]))
            for width in (1, AT_ONCE)
        )

    def rows(
        self, connection: Connection, asked: Sequence[Any], **values: Any
    ) -> list[tuple[Any, ...]]:
        """What is found of each of `asked`; as `Prepared.rows`, once for each `AT_ONCE` of them."""
        found: list[tuple[Any, ...]] = []
        for start in range(0, len(asked), AT_ONCE):
            part = asked[start : start + AT_ONCE]
            query = self._of_one if len(part) == 1 else self._of_several
            width = 1 if len(part) == 1 else AT_ONCE
            filled = [*part, *[part[-1]] * (width - len(part))]
            named = {f"asked_{at}": one for at, one in enumerate(filled)}
            found += query.rows(connection, **named, **values)
        return found


class _Made:
    """The SQL of a statement, and the order in which a driver is given its values."""

    def __init__(self, compiled: Compiled) -> None:
        self.sql = str(compiled)
        order = getattr(compiled, "positiontup", None)
        self._order: tuple[str, ...] | None = None if order is None else tuple(order)
        self._fixed: Mapping[str, Any] = {
            name: value for name, value in compiled.params.items() if value is not None
        }

    def given(self, values: Mapping[str, Any]) -> Any:
        every = {**self._fixed, **values}
        return every if self._order is None else tuple(every[name] for name in self._order)


def run(connection: Connection, sql: str, values: Any = (), *, many: bool = False) -> Any:
    """The driver's cursor after `sql` was done with `values`, or with each of `many`.

    Raises what SQLAlchemy raises.
    """
    driver = connection.connection.driver_connection
    cursor = driver.cursor()  # type: ignore[union-attr]  # there is one within a transaction
    try:
        return cursor.executemany(sql, values) if many else cursor.execute(sql, values)
    except connection.dialect.loaded_dbapi.Error as error:
        lost = connection.dialect.is_disconnect(error, driver, cursor)
        if lost:
            connection.invalidate(error)
        raise DBAPIError.instance(
            sql,
            None,
            error,
            connection.dialect.loaded_dbapi.Error,
            hide_parameters=True,
            connection_invalidated=lost,
            dialect=connection.dialect,
        ) from error
