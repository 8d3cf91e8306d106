"""Customers and their pseudonyms: outside the database a customer is a random number.

The one place where the shop's own id of a customer stands beside that number.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping, Sequence

import pandas as pd
from sqlalchemy import Connection, insert, select

from features.customers.vault import Vault
from features.database.engine import Database, insert_missing
from features.database.tables import customers, suppressed
from features.errors import NotFound

BATCH = 5_000
SUPPRESSION = "suppressed customer"


class Customers:
    """The mapping between the shop's customer ids and Sayso's pseudonyms."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    def assign(self, external_ids: pd.Series) -> pd.Series:
        """Pseudonyms (Int64, same index) of the shop's ids (str); an id seen for the first time
        gets a new one.

        Missing for customers who were erased: they are not taken in again.
        """
        wanted = external_ids.unique().tolist()
        pseudonyms: dict[str, int] = {}
        with self._database.write() as connection:
            for start in range(0, len(wanted), BATCH):
                pseudonyms |= find_or_add(connection, self._vault, wanted[start : start + BATCH])
        return external_ids.map(pd.Series(pseudonyms, dtype="Int64")).astype("Int64")

    def find(self, external_id: str) -> int | None:
        """Pseudonym of the shop's id, or None where the shop never told of such a customer."""
        with self._database.read() as connection:
            return find(connection, external_id)

    def erased(self, external_ids: Collection[str]) -> frozenset[str]:
        """Those of the shop's ids that are of customers who were erased."""
        asked = list(external_ids)
        with self._database.write() as connection:
            parts = (
                _erased(connection, self._vault, asked[start : start + BATCH])
                for start in range(0, len(asked), BATCH)
            )
            return frozenset().union(*parts)

    def pseudonym(self, external_id: str) -> int:
        """Pseudonym of the shop's id.

        Raises `NotFound`, in the same words for whoever is not there and whoever was erased.
        """
        if (customer := self.find(external_id)) is None:
            raise NotFound("There is no such customer.")
        return customer

    def all(self) -> dict[int, str]:
        """The shop's ids of everybody, by pseudonym."""
        with self._database.read() as connection:
            return {row.customer: row.external_id for row in connection.execute(select(customers))}

    def external_ids(self, pseudonyms: Sequence[int]) -> dict[int, str]:
        """The shop's ids by pseudonym; pseudonyms that stand for nobody are left out."""
        known: dict[int, str] = {}
        with self._database.read() as connection:
            for start in range(0, len(pseudonyms), BATCH):
                rows = connection.execute(
                    select(customers).where(
                        customers.c.customer.in_(pseudonyms[start : start + BATCH])
                    )
                )
                known |= {row.customer: row.external_id for row in rows}
        return {customer: known[customer] for customer in pseudonyms if customer in known}


def find(connection: Connection, external_id: str) -> int | None:
    """Pseudonym of the shop's id within a transaction that is already open."""
    return connection.execute(
        select(customers.c.customer).where(customers.c.external_id == external_id)
    ).scalar()


def find_or_add(
    connection: Connection, vault: Vault, external_ids: Collection[str]
) -> dict[str, int]:
    """Pseudonyms of the shop's ids, made where there are none: somebody may consent before the
    first order.

    Customers who were erased are left out.
    """
    known = _known(connection, external_ids)
    new = [external_id for external_id in external_ids if external_id not in known]
    erased = _erased(connection, vault, new) if new else frozenset()
    new = [external_id for external_id in new if external_id not in erased]
    if not new:
        return known
    rows = [{"customer": secrets.randbits(62), "external_id": external_id} for external_id in new]
    insert_missing(connection, customers, ["external_id"], rows)
    return _known(connection, external_ids)


def suppress(connection: Connection, vault: Vault, external_id: str, now: str) -> None:
    """Keep an id out from now on.

    What is kept of it is a tag that cannot be turned back into it.
    """
    (tag,) = vault.tags(connection, SUPPRESSION, [external_id]).values()
    if connection.execute(select(suppressed).where(suppressed.c.tag == tag)).one_or_none() is None:
        connection.execute(insert(suppressed).values(tag=tag, erased_at=now))


def suppressions(connection: Connection) -> dict[str, str]:
    """When each of those who are kept out was erased, by tag."""
    return {row.tag: row.erased_at for row in connection.execute(select(suppressed))}


def keep_out(connection: Connection, erased: Mapping[str, str]) -> None:
    """Keep out all whom tags stand for, each with the time of its erasure."""
    rows = [{"tag": tag, "erased_at": moment} for tag, moment in erased.items()]
    if rows:
        insert_missing(connection, suppressed, ["tag"], rows)


def named_by(connection: Connection, vault: Vault, tags: Collection[str]) -> list[str]:
    """The shop's ids of the customers whom `tags` of the erased stand for, and who are here all the
    same; within a transaction that writes.
    """
    ids = list(connection.execute(select(customers.c.external_id)).scalars())
    wanted = set(tags)
    return [
        external_id
        for start in range(0, len(ids), BATCH)
        for external_id, tag in vault.tags(
            connection, SUPPRESSION, ids[start : start + BATCH]
        ).items()
        if tag in wanted
    ]


def _erased(connection: Connection, vault: Vault, external_ids: Collection[str]) -> frozenset[str]:
    """Those of the ids that are to be kept out."""
    if connection.execute(select(suppressed.c.tag).limit(1)).one_or_none() is None:
        return frozenset()
    tags = vault.tags(connection, SUPPRESSION, external_ids)
    found = set(
        connection.execute(
            select(suppressed.c.tag).where(suppressed.c.tag.in_(tags.values()))
        ).scalars()
    )
    return frozenset(external_id for external_id, tag in tags.items() if tag in found)


def _known(connection: Connection, external_ids: Collection[str]) -> dict[str, int]:
    found = connection.execute(select(customers).where(customers.c.external_id.in_(external_ids)))
    return {row.external_id: row.customer for row in found}


def external_id_of(connection: Connection, customer: int) -> str | None:
    """The shop's id of a pseudonym; None for a customer who was erased."""
    return connection.execute(
        select(customers.c.external_id).where(customers.c.customer == customer)
    ).scalar()
