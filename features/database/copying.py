"""Every row of one database into another, and the certainty that both hold the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Table, delete, func, insert, inspect, select
from sqlalchemy.exc import DBAPIError

from features.database.tables import (
    customer_id_rule,
    database_identity,
    decision_head,
    ledger_head,
    metadata,
)
from features.errors import SaysoError
from features.progress import Progress

BATCH = 2_000
BEGUN = frozenset({ledger_head.name, decision_head.name, customer_id_rule.name})
"""Tables that a new schema has a row in: where its chains begin, and the rule of its ids."""
NOT_COPIED = frozenset({database_identity.name})
"""Which database it is, is no content of it."""
VERSION_TABLE = "alembic_version"
SPAN = 2**256


class CopyFailed(SaysoError):
    """A database cannot be copied as a whole, so nothing of it was."""


@dataclass(frozen=True)
class Copied:
    """How many rows a table has, and a digest of all of them that does not depend on their
    order.
    """

    rows: int
    digest: str


def tables_of_content() -> list[Table]:
    """All tables but for the one that says which database it is."""
    return [table for table in metadata.sorted_tables if table.name not in NOT_COPIED]


def holds_nothing(connection: Connection) -> bool:
    """Whether nothing was ever stored: there are no tables yet, or none with a row."""
    there = set(inspect(connection).get_table_names())
    return not any(
        connection.execute(select(func.count()).select_from(table)).scalar_one()
        for table in metadata.sorted_tables
        if table.name in there - BEGUN
    )


def copy_content(source: Connection, target: Connection, progress: Progress) -> dict[str, Copied]:
    """Copy every row of `source` into the empty tables of `target`, both at the newest schema, read
    them back, and give what each table holds.

    Raises `CopyFailed` for a table that is not known here, for a row that the target cannot hold,
    and where the target does not give back what was put in.
    """
    _refuse_unknown(source)
    tables, found = tables_of_content(), {}
    for number, table in enumerate(tables):
        progress(f"copying {table.name.replace('_', ' ')}", number / len(tables))
        found[table.name] = _copy(source, target, table)
        if summed(target, table) != found[table.name]:
            raise CopyFailed(
                f"the copy of the table {table.name} is not what was copied; nothing was changed."
                " Try another target"
            )
    return found


def summed(connection: Connection, table: Table) -> Copied:
    """What a table holds."""
    return _summed(row for batch in _batches(connection, table) for row in batch)


def clear(connection: Connection) -> None:
    """Remove all that Sayso made in a database, so that it is as good as new."""
    metadata.drop_all(connection)
    connection.exec_driver_sql(f"DROP TABLE IF EXISTS {VERSION_TABLE}")
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("DROP FUNCTION IF EXISTS refuse_ledger_change()")


def _refuse_unknown(connection: Connection) -> None:
    known = {VERSION_TABLE, *metadata.tables}
    if unknown := sorted(set(inspect(connection).get_table_names()) - known):
        raise CopyFailed(
            f"the database has a table {unknown[0]!r} that this version of Sayso does not know; use"
            " the version that made it, or move the table elsewhere if it is your own"
        )


def _copy(source: Connection, target: Connection, table: Table) -> Copied:
    if table.name in BEGUN:
        target.execute(delete(table))

    def passed_on() -> Iterator[Mapping[str, Any]]:
        for batch in _batches(source, table):
            try:
                target.execute(insert(table), batch)
            except (DBAPIError, ValueError) as error:
                cause = str(getattr(error, "orig", error)).splitlines()[0]
                raise CopyFailed(
                    f"a row of the table {table.name} does not fit the target ({cause}); nothing"
                    " was changed"
                ) from None
            yield from batch

    return _summed(passed_on())


def _batches(connection: Connection, table: Table) -> Iterator[list[dict[str, Any]]]:
    ordered = select(table).order_by(*table.primary_key.columns)
    with connection.execute(ordered.execution_options(yield_per=BATCH)) as found:
        for part in found.mappings().partitions():
            yield [dict(row) for row in part]


def _summed(rows: Iterator[Mapping[str, Any]]) -> Copied:
    count = total = 0
    for row in rows:
        stated = json.dumps(dict(row), sort_keys=True, default=_hexadecimal)
        total += int.from_bytes(hashlib.sha256(stated.encode()).digest())
        count += 1
    return Copied(count, f"{total % SPAN:064x}")


def _hexadecimal(content: Any) -> str:
    return bytes(content).hex()
