"""What is held of customers who stay, to be compared before and after others are erased."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import select

from features.database.tables import decisions
from serving.bootstrap import Sayso
from serving.proofs.erasure.canaries import customer_id

OF_THE_MOMENT = ("issued_at", "consent_receipt")
"""Parts of an export that say when it was made."""
Held = Mapping[str, Any]


def held(sayso: Sayso, numbers: Collection[int]) -> Held:
    """Rows of the warehouse and decisions of these customers, and their exports, by name."""
    shop = sayso.shop
    customers = [
        customer
        for number in numbers
        if (customer := shop.customers.find(customer_id(number))) is not None
    ]
    return {
        "rows in the warehouse": [
            {name: rows.to_pylist() for name, rows in shop.warehouse.rows_of(who).items()}
            for who in customers
        ],
        "decisions": _decisions(sayso, customers),
        "exports": [_lasting(sayso.rights.export(customer_id(number))) for number in numbers],
    }


def changed(before: Held, after: Held) -> list[str]:
    """What is not the same any more."""
    return [name for name in before if before[name] != after[name]]


def _decisions(sayso: Sayso, customers: Collection[int]) -> list[tuple[object, ...]]:
    with sayso.shop.database.read() as connection:
        rows = connection.execute(
            select(decisions).where(decisions.c.customer.in_(customers)).order_by(decisions.c.seq)
        )
        return [tuple(row) for row in rows]


def _lasting(export: Mapping[str, Any]) -> dict[str, Any]:
    return {name: content for name, content in export.items() if name not in OF_THE_MOMENT}
