"""Visitors who became customers: ids under which people were known before they said who they are.

From then on such an id is the customer's. It keeps its row in `customers`, beside which
`merged_customers` says whose it is.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, insert, select, update

from features.catalog import CustomerIds
from features.customers.id_normalisation import normalised
from features.database.tables import customers, merged_customers


@dataclass(frozen=True)
class Visitor:
    """A visitor who became a customer: the number and id that they had, when, and who told."""

    number: int
    visitor_id: str
    joined_at: str
    actor: str


def visitors_of(connection: Connection, customer: int) -> list[Visitor]:
    """The visitors who became a customer, oldest first."""
    column = merged_customers.c
    query = (
        select(column.customer, customers.c.external_id, column.merged_at, column.actor)
        .join(customers, customers.c.customer == column.customer)
        .where(column.kept == customer, column.actor.is_not(None))
        .order_by(column.merged_at, column.customer)
    )
    return [Visitor(*row) for row in connection.execute(query)]


def is_visitor(connection: Connection, number: int) -> bool:
    """Whether a number was that of a visitor who became a customer."""
    column = merged_customers.c
    query = select(column.customer).where(column.customer == number, column.actor.is_not(None))
    return connection.execute(query).first() is not None


def note_joined(connection: Connection, visitor: int, customer: int, actor: str, now: str) -> None:
    """Keep that a visitor is the customer from now on, and all who were merged into the visitor."""
    column = merged_customers.c
    before = update(merged_customers).where(column.kept == visitor)
    connection.execute(before.values(kept=customer, actor=actor))
    row = {"customer": visitor, "kept": customer, "merged_at": now, "actor": actor}
    connection.execute(insert(merged_customers).values(**row))


def own_number(connection: Connection, visitor_id: str, ids: CustomerIds) -> int | None:
    """The number that an id has by itself, whoever the visitor became; None where it has none."""
    query = select(customers.c.customer).where(
        customers.c.external_id == normalised(visitor_id, ids)
    )
    found: int | None = connection.execute(query).scalar()
    return found
