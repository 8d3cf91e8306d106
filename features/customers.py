"""Customers and their pseudonyms: outside the database a customer is a random number.

The one place where the shop's own id of a customer stands beside that number.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence

import pandas as pd
from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from features.database import Database
from features.tables import customers

BATCH = 5_000


class Customers:
    """The mapping between the shop's customer ids and Sayso's pseudonyms."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def assign(self, external_ids: pd.Series) -> pd.Series:
        """Pseudonyms (int64, same index) of the shop's ids (str); an id seen for the first time gets a new one."""
        wanted = external_ids.unique().tolist()
        pseudonyms: dict[str, int] = {}
        with self._database.write() as connection:
            for start in range(0, len(wanted), BATCH):
                pseudonyms |= find_or_add(connection, wanted[start : start + BATCH])
        return external_ids.map(pseudonyms).astype("int64")

    def find(self, external_id: str) -> int | None:
        """Pseudonym of the shop's id, or None where the shop never told of such a customer."""
        with self._database.read() as connection:
            return find(connection, external_id)

    def all(self) -> dict[int, str]:
        """The shop's ids of everybody, by pseudonym."""
        with self._database.read() as connection:
            return {row.customer: row.external_id for row in connection.execute(select(customers))}

    def external_ids(self, pseudonyms: Sequence[int]) -> dict[int, str]:
        """The shop's ids by pseudonym; pseudonyms that stand for nobody are left out."""
        known = self.all()
        return {customer: known[customer] for customer in pseudonyms if customer in known}


def find(connection: Connection, external_id: str) -> int | None:
    """Pseudonym of the shop's id within a transaction that is already open."""
    return connection.execute(select(customers.c.customer).where(customers.c.external_id == external_id)).scalar()


def find_or_add(connection: Connection, external_ids: Collection[str]) -> dict[str, int]:
    """Pseudonyms of the shop's ids, made where there are none: somebody may consent before the first order."""
    known = _known(connection, external_ids)
    new = [external_id for external_id in external_ids if external_id not in known]
    if not new:
        return known
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(customers).on_conflict_do_nothing(index_elements=["external_id"])
    connection.execute(statement, [{"customer": secrets.randbits(62), "external_id": external_id} for external_id in new])
    return _known(connection, external_ids)


def _known(connection: Connection, external_ids: Collection[str]) -> dict[str, int]:
    found = connection.execute(select(customers).where(customers.c.external_id.in_(external_ids)))
    return {row.external_id: row.customer for row in found}


def external_id_of(connection: Connection, customer: int) -> str:
    """The shop's id of a pseudonym that is known to exist."""
    return str(connection.execute(select(customers.c.external_id).where(customers.c.customer == customer)).scalar_one())
