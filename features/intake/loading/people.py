"""Whether somebody was erased, or ids were merged, since a load: then its notes hold no more."""

from __future__ import annotations

from sqlalchemy import func, select

from features.customers.pseudonyms import merged_numbers
from features.database.engine import Database
from features.database.tables import corrections, merged_customers, suppressed

People = tuple[int, int]
"""How many were erased, and how many numbers merged."""


def people_of(database: Database) -> People:
    """As the database says now."""
    with database.read() as connection:
        erased = connection.execute(select(func.count()).select_from(suppressed)).scalar_one()
        one_person = select(func.count()).where(merged_customers.c.actor.is_(None))
        merged = connection.execute(one_person).scalar_one()
    return erased, merged


def corrected_customers(database: Database) -> frozenset[int]:
    """Customers whose data was put right."""
    with database.read() as connection:
        merged = merged_numbers(connection)
        found = connection.execute(select(corrections.c.customer).distinct()).scalars()
        return frozenset(merged.get(customer, customer) for customer in found)
