"""The stored online features of one purpose, read and put back past all doors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete, insert, select

from features.database.tables import online_features
from features.shop.online import OnlineStore
from serving.proofs.withheld.twins import Twin

Rows = Mapping[int, Mapping[str, Any]]


def stored_rows(twin: Twin) -> Rows:
    """Every stored row by customer."""
    query = select(online_features).where(online_features.c.purpose == twin.purpose)
    with twin.shop.database.read() as connection:
        return {row["customer"]: dict(row) for row in connection.execute(query).mappings()}


def put_back(twin: Twin, rows: Rows) -> None:
    """Store `rows` in place of what there is, as a store would that missed a withdrawal."""
    with twin.shop.database.write() as connection:
        connection.execute(delete(online_features).where(online_features.c.purpose == twin.purpose))
        if rows:
            connection.execute(insert(online_features), list(rows.values()))


def contents(twin: Twin, online: OnlineStore) -> dict[int, bytes]:
    """What the stored rows hold, by customer."""
    with twin.shop.database.read() as connection:
        found = {customer: online.read(connection, customer) for customer in stored_rows(twin)}
    return {customer: row.pack() for customer, row in found.items() if row is not None}


def handed_out(twin: Twin, online: OnlineStore) -> dict[int, bytes]:
    """What the online store hands to an answer, for everybody who has a row."""
    return {customer: online.ready(customer).pack() for customer in stored_rows(twin)}
