"""A database as the first revision of the schema left it, filled as the system of that time filled
it.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from sqlalchemy import text

from features.database.engine import Database

ANN, BOB, EVE = 11, 22, 33
JANUARY, FEBRUARY, MARCH = (f"2024-0{month}-01T10:00:00.000000Z" for month in (1, 2, 3))
SPOKEN = (
    (ANN, "advice", "purchases", "granted", "1", JANUARY, "form-1"),
    (ANN, "advice", "times", "granted", "2", JANUARY, None),
    (BOB, "advice", "purchases", "granted", "1", JANUARY, "form-2"),
    (BOB, "advice", "purchases", "withdrawn", None, MARCH, None),
    (EVE, "forecast", "location", "refused", "1", FEBRUARY, "zoë's form"),
)
"""Customer, purpose, category, action, version of the notice, when it was said, and its idempotency
key in plain text.
"""


def database_of_first_revision(url: str) -> Database:
    """An empty database at revision 0001."""
    database = Database(url)
    database.migrate("0001")
    return database


def fill(database: Database, table: str, *rows: dict[str, Any]) -> None:
    """Insert rows as they are."""
    names = list(rows[0])
    statement = text(
        f"INSERT INTO {table} ({', '.join(names)}) VALUES"  # noqa: S608
        f" ({', '.join(':' + name for name in names)})"
    )
    with database.write() as connection:
        connection.execute(statement, rows)


def old_link(row: dict[str, Any]) -> str:
    """The hash that the first revision gave an event."""
    return hashlib.sha256(
        json.dumps(row, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    ).hexdigest()


def old_events(*spoken: tuple[Any, ...]) -> list[dict[str, Any]]:
    """Events in the thirteen columns of the first revision, chained as it chained them."""
    rows, previous = [], ""
    for seq, (customer, purpose, category, action, version, occurred_at, key) in enumerate(
        spoken, start=1
    ):
        row: dict[str, Any] = {
            "seq": seq,
            "customer": customer,
            "purpose": purpose,
            "category": category,
            "action": action,
            "notice_version": version,
            "method": "web_form",
            "actor": "customer",
            "occurred_at": occurred_at,
            "received_at": MARCH,
            "idempotency_key": key,
            "previous_hash": previous,
        }
        previous = old_link(row)
        rows.append({**row, "hash": previous})
    return rows


def old_ledger(database: Database, *spoken: tuple[Any, ...]) -> list[dict[str, Any]]:
    """A ledger of the first revision, in whose state the newest event counted whenever it had been
    said.
    """
    rows = old_events(*spoken)
    state = {(row["customer"], row["purpose"], row["category"]): row for row in rows}
    columns = ("customer", "purpose", "category", "action", "seq")
    fill(
        database,
        "customers",
        *(
            {"customer": c, "external_id": id}
            for c, id in ((ANN, "ann"), (BOB, "bob"), (EVE, "eve"))
        ),
    )
    fill(database, "consent_events", *rows)
    fill(
        database,
        "consent_state",
        *({name: row[name] for name in columns} for row in state.values()),
    )
    with database.write() as connection:
        connection.execute(
            text("UPDATE ledger_head SET seq = :seq, hash = :hash"),
            {"seq": len(rows), "hash": rows[-1]["hash"]},
        )
    return rows


def old_decision(id: str, customer: int | None, created_at: str, **changed: Any) -> dict[str, Any]:
    """A decision as the first revision wrote it."""
    inputs = json.dumps({"granted": ["purchases"]}, separators=(",", ":"))
    answer = json.dumps(
        {"consent": {"ledger_seq": 5}, "decision_id": id, "said": "schön"},
        separators=(",", ":"),
        ensure_ascii=False,
    )
    digest = hashlib.sha256(f"test\n{customer}\n{inputs}\n{answer}".encode()).hexdigest()
    row = {
        "id": id,
        "customer": customer,
        "kind": "test",
        "created_at": created_at,
        "ledger_seq": 5,
        "model_name": None,
    }
    return {
        **row,
        "model_version": None,
        "inputs": inputs,
        "answer": answer,
        "digest": digest,
        **changed,
    }
