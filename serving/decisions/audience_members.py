"""Who was in an audience that left: kept for each of them beside the decision that records it, so
that they can be told.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, insert, select

from features.customers.vault import Vault, opened_with, seal_all
from features.database.prepared import Prepared
from features.database.tables import audience_members

_KEEP = Prepared(insert(audience_members), audience_members.c.keys())


def keep_members(
    connection: Connection,
    vault: Vault,
    decision_id: str,
    said: Mapping[int, Mapping[str, Any]],
    now: str,
) -> None:
    """Keep what was said of each customer, within a transaction that writes."""
    keys = vault.keys_for_sealing(connection, list(said))
    about = _about(decision_id)
    sealed = seal_all([(keys[one], json.dumps(what).encode(), about) for one, what in said.items()])
    rows = [
        {"decision_id": decision_id, "customer": customer, "given_at": now, "content": content}
        for customer, content in zip(said, sealed, strict=True)
    ]
    _KEEP.run_all(connection, rows)


def memberships(
    connection: Connection, vault: Vault, numbers: Sequence[int]
) -> list[dict[str, Any]]:
    """The audiences that a customer was in, by the `numbers` that stand for them, oldest first."""
    column = audience_members.c
    query = select(audience_members).where(column.customer.in_(numbers)).order_by(column.given_at)
    rows = connection.execute(query).all()
    keys = vault.keys(connection, numbers)
    return [
        {
            "decision_id": row.decision_id,
            "given_at": row.given_at,
            **json.loads(opened_with(keys.get(row.customer), row.content, _about(row.decision_id))),
        }
        for row in rows
    ]


def _about(decision_id: str) -> str:
    return f"audience:{decision_id}"
