"""Customers and their pseudonyms: outside the database a customer is a random number.

The one place where the shop's own id of a customer stands beside that number, in the one form that
`features.customers.id_normalisation` gives it.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping, Sequence

import pandas as pd
from sqlalchemy import Connection, Text, func, insert, select

from features.catalog import CustomerIds
from features.customers.id_normalisation import is_nobody, normalised
from features.customers.vault import Vault
from features.database.engine import Database, insert_missing
from features.database.prepared import PreparedForMany
from features.database.tables import customers, merged_customers, suppressed
from features.errors import NotFound

BATCH = 5_000
SUPPRESSION = "suppressed customer"
ADDRESSES = CustomerIds()
"""The rule where `sayso.toml` states none."""


class Customers:
    """The mapping between the shop's customer ids and Sayso's pseudonyms; `ids` says when two ids
    are of one customer.
    """

    def __init__(self, database: Database, vault: Vault, ids: CustomerIds = ADDRESSES) -> None:
        self._database = database
        self._vault = vault
        self._ids = ids

    def assign(self, external_ids: pd.Series) -> pd.Series:
        """Pseudonyms (Int64, same index) of the shop's ids (str); an id seen for the first time
        gets a new one, and that of a visitor keeps its own.

        Missing for customers who were erased, who are not taken in again, and for what is nobody's
        id.
        """
        codes, ids = pd.factorize(external_ids)
        wanted = ids.tolist()
        pseudonyms: dict[str, int] = {}
        with self._database.write() as connection:
            for start in range(0, len(wanted), BATCH):
                asked = wanted[start : start + BATCH]
                pseudonyms |= find_or_add(
                    connection, self._vault, asked, self._ids, of_visitors=True
                )
        known = pd.array([pseudonyms.get(one) for one in wanted], dtype="Int64")
        return pd.Series(known.take(codes, allow_fill=True), index=external_ids.index)

    def known(self, external_ids: Collection[str]) -> dict[str, int]:
        """Pseudonyms of those of the shop's ids that it told of before, by the ids as given, as
        `assign` gives them.
        """
        forms = {one: normalised(one, self._ids) for one in external_ids if not is_nobody(one)}
        found, wanted = dict[str, int](), sorted(set(forms.values()))
        with self._database.read() as connection:
            for start in range(0, len(wanted), BATCH):
                part = wanted[start : start + BATCH]
                found |= _known(connection, part, of_visitors=True)
        return {one: found[form] for one, form in forms.items() if form in found}

    def find(self, external_id: str) -> int | None:
        """Pseudonym of the shop's id, or None where the shop never told of such a customer."""
        with self._database.read() as connection:
            return find(connection, external_id, self._ids)

    def kept(self, customer: int) -> int:
        """The number that a customer has now, by one that they had before ids were merged."""
        with self._database.read() as connection:
            return kept(connection, customer)

    def erased(self, external_ids: Collection[str]) -> frozenset[str]:
        """Those of the shop's ids that are of customers who were erased."""
        asked = list(external_ids)
        with self._database.write() as connection:
            parts = (
                _erased(connection, self._vault, asked[start : start + BATCH], self._ids)
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
        with self._database.read() as connection:
            return ids_of(connection, pseudonyms)


def find(connection: Connection, external_id: str, ids: CustomerIds = ADDRESSES) -> int | None:
    """Pseudonym of the shop's id within a transaction that is already open."""
    return find_all(connection, [external_id], ids)[0]


def find_all(
    connection: Connection, external_ids: Sequence[str | None], ids: CustomerIds = ADDRESSES
) -> list[int | None]:
    """Pseudonyms of the shop's ids, None for who is not there, or is nobody (None); that of a
    visitor who became a customer is the customer's.
    """
    forms = [
        None if one is None or is_nobody(one) else normalised(one, ids) for one in external_ids
    ]
    asked = list({form for form in forms if form is not None})
    known = {id: int(customer) for id, customer in _BY_ID.rows(connection, asked)}
    return [None if form is None else known.get(form) for form in forms]


_BY_VISITORS_TOO = select(
    customers.c.external_id, func.coalesce(merged_customers.c.kept, customers.c.customer)
).outerjoin(merged_customers, merged_customers.c.customer == customers.c.customer)
_BY_ID = PreparedForMany(
    lambda asked: _BY_VISITORS_TOO.where(customers.c.external_id.in_(asked)), Text()
)


def find_or_add(
    connection: Connection,
    vault: Vault,
    external_ids: Collection[str],
    ids: CustomerIds = ADDRESSES,
    *,
    of_visitors: bool = False,
) -> dict[str, int]:
    """Pseudonyms of the shop's ids as they were given, made where there are none: somebody may
    consent before the first order. That of a visitor who became a customer is the customer's, or
    with `of_visitors` still the visitor's own.

    Customers who were erased are left out, and so is what is nobody's id.
    """
    forms = {one: normalised(one, ids) for one in external_ids if not is_nobody(one)}
    known = _known(connection, set(forms.values()), of_visitors=of_visitors)
    doubtful = [one for one, form in forms.items() if form not in known or form != one]
    erased = _erased(connection, vault, doubtful, ids) if doubtful else frozenset()
    closed = {forms[one] for one in erased}
    if added := {form for form in forms.values() if form not in known} - closed:
        rows = [{"customer": secrets.randbits(62), "external_id": form} for form in sorted(added)]
        insert_missing(connection, customers, ["external_id"], rows)
        known |= _known(connection, added, of_visitors=True)
    return {one: known[form] for one, form in forms.items() if form in known and form not in closed}


def suppress(
    connection: Connection,
    vault: Vault,
    external_id: str,
    now: str,
    ids: CustomerIds = ADDRESSES,
) -> None:
    """Keep an id out from now on, however it is written.

    What is kept of it is a tag that cannot be turned back into it.
    """
    (tag,) = vault.tags(connection, SUPPRESSION, [normalised(external_id, ids)]).values()
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


def named_by(
    connection: Connection, vault: Vault, tags: Collection[str], ids: CustomerIds
) -> list[str]:
    """The shop's ids of the customers whom `tags` of the erased stand for, in whichever form they
    were written then, and who are here all the same; within a transaction that writes.
    """
    named = list(connection.execute(select(customers.c.external_id)).scalars())
    wanted, found = set(tags), list[str]()
    for start in range(0, len(named), BATCH):
        forms = {one: (one, normalised(one, ids)) for one in named[start : start + BATCH]}
        every = {form for written in forms.values() for form in written}
        known = vault.tags(connection, SUPPRESSION, every)
        found += [one for one, written in forms.items() if {known[f] for f in written} & wanted]
    return found


def erased_among(connection: Connection, vault: Vault, ids: CustomerIds) -> frozenset[int]:
    """Customers who are still there and whose id is to be kept out: their erasure was cut off, or
    their id was written in another way when they were erased.
    """
    known = {row.external_id: row.customer for row in connection.execute(select(customers))}
    asked = list(known)
    parts = (
        _erased(connection, vault, asked[start : start + BATCH], ids)
        for start in range(0, len(asked), BATCH)
    )
    return frozenset(known[one] for part in parts for one in part)


def _erased(
    connection: Connection, vault: Vault, external_ids: Collection[str], ids: CustomerIds
) -> frozenset[str]:
    """Those of the ids that are to be kept out.

    Tags of before were made of ids as they were written then, so both forms are looked for.
    """
    if connection.execute(select(suppressed.c.tag).limit(1)).one_or_none() is None:
        return frozenset()
    forms = {one: (one, one.strip(), normalised(one, ids)) for one in external_ids}
    tags = vault.tags(
        connection, SUPPRESSION, {form for written in forms.values() for form in written}
    )
    column = suppressed.c
    query = select(column.tag, column.erased_at).where(column.tag.in_(tags.values()))
    found = {row.tag: row.erased_at for row in connection.execute(query)}
    theirs = {
        one: [found[tags[form]] for form in written if tags[form] in found]
        for one, written in forms.items()
    }
    again = {
        tags[forms[one][-1]]: min(moments)
        for one, moments in theirs.items()
        if moments and tags[forms[one][-1]] not in found
    }
    if again:  # from here on the customer is known as erased however the id is written
        rows = [{"tag": tag, "erased_at": moment} for tag, moment in again.items()]
        insert_missing(connection, suppressed, ["tag"], rows)
    return frozenset(one for one, moments in theirs.items() if moments)


def _known(
    connection: Connection, external_ids: Collection[str], *, of_visitors: bool
) -> dict[str, int]:
    own = select(customers.c.external_id, customers.c.customer)
    query = own if of_visitors else _BY_VISITORS_TOO
    found = connection.execute(query.where(customers.c.external_id.in_(external_ids)))
    return {id: int(customer) for id, customer in found}


def ids_of(connection: Connection, pseudonyms: Sequence[int]) -> dict[int, str]:
    """The shop's ids by pseudonym, in their order, within a transaction; pseudonyms that stand for
    nobody are left out.
    """
    known: dict[int, str] = {}
    for start in range(0, len(pseudonyms), BATCH):
        part = pseudonyms[start : start + BATCH]
        rows = connection.execute(select(customers).where(customers.c.customer.in_(part)))
        known |= {row.customer: row.external_id for row in rows}
    return {customer: known[customer] for customer in pseudonyms if customer in known}


def external_id_of(connection: Connection, customer: int) -> str | None:
    """The shop's id of a pseudonym; None for a customer who was erased."""
    return connection.execute(
        select(customers.c.external_id).where(customers.c.customer == customer)
    ).scalar()


def kept(connection: Connection, customer: int) -> int:
    """The number of the customer whom a number stands for: another one where ids were merged."""
    found = connection.execute(
        select(merged_customers.c.kept).where(merged_customers.c.customer == customer)
    ).scalar()
    return customer if found is None else found


def there_among(connection: Connection, numbers: Collection[int]) -> set[int]:
    """Those of `numbers` that stand for somebody, who was not erased."""
    query = select(customers.c.customer).where(customers.c.customer.in_(numbers))
    return set(connection.execute(query).scalars().all())


def kept_among(connection: Connection, numbers: Collection[int]) -> dict[int, int]:
    """The kept number by each of `numbers` that was merged into another one."""
    column = merged_customers.c
    query = select(column.customer, column.kept).where(column.customer.in_(numbers))
    return {row.customer: row.kept for row in connection.execute(query)}


def numbers_of(connection: Connection, customer: int) -> tuple[int, ...]:
    """All numbers that stand for a customer: their own, and those merged into it."""
    before = connection.execute(
        select(merged_customers.c.customer).where(merged_customers.c.kept == customer)
    ).scalars()
    return (customer, *before)


def merged_numbers(connection: Connection) -> dict[int, int]:
    """The kept number by each number that was merged into it, as the ids are one; a visitor's own
    rows are not all the customer's.
    """
    query = select(merged_customers).where(merged_customers.c.actor.is_(None))
    return {row.customer: row.kept for row in connection.execute(query)}
