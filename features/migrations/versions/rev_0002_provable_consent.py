"""Provable consent: notices and expiry in the ledger, sealed and chained decisions, and what the
customers' rights need.
"""

from __future__ import annotations

import hashlib
from typing import Any

import sqlalchemy as sa
from alembic import op

from features.consent.chain import canonical, link

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

BATCH = 1_000
PLAIN = b"\x00"
"""First byte of content from before there was encryption."""


def upgrade() -> None:
    """Apply the change."""
    _widen_the_ledger()
    _chain_the_decisions()
    _make_tables()
    op.execute(
        "DELETE FROM online_features"
    )  # they lay there unsealed, and are made anew when they are needed


def _widen_the_ledger() -> None:
    for name, length in (
        ("notice", 64),
        ("notice_language", 35),
        ("notice_digest", 64),
        ("valid_until", 32),
        ("covers_from", 32),
        ("evidence_digest", 64),
    ):
        op.add_column("consent_events", sa.Column(name, sa.String(length=length), nullable=True))
    op.drop_table("consent_state")
    state = op.create_table(
        "consent_state",
        sa.Column("customer", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("purpose", sa.String(length=64), nullable=False),
        sa.Column("category", sa.String(length=64), nullable=False),
        sa.Column("action", sa.String(length=16), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("occurred_at", sa.String(length=32), nullable=False),
        sa.Column("notice_version", sa.String(length=64), nullable=True),
        sa.Column("valid_until", sa.String(length=32), nullable=True),
        sa.Column("covers_from", sa.String(length=32), nullable=True),
        sa.PrimaryKeyConstraint("customer", "purpose", "category", name=op.f("pk_consent_state")),
    )
    rows = list(_states().values())
    for start in range(0, len(rows), BATCH):
        op.bulk_insert(state, rows[start : start + BATCH])


def _states() -> dict[tuple[Any, ...], dict[str, Any]]:
    """What the events amount to; a grant that was delivered late, and undid a withdrawal so far, no
    longer does.
    """
    columns = ("customer", "purpose", "category", "action", "seq", "occurred_at", "notice_version")
    states: dict[tuple[Any, ...], dict[str, Any]] = {}
    told = sa.table("consent_events", *map(sa.column, columns))
    events = op.get_bind().execute(sa.select(told).order_by(told.c.seq))
    for event in events.mappings():
        key = (event["customer"], event["purpose"], event["category"])
        standing = states.get(key)
        late = standing is not None and event["action"] == "granted" != standing["action"]
        if not late or event["occurred_at"] >= states[key]["occurred_at"]:
            states[key] = {**event, "valid_until": None, "covers_from": None}
    return states


def _chain_the_decisions() -> None:
    """The decisions of before get a place in the chain in the order in which they were made."""
    op.drop_index(op.f("ix_decisions_customer_created_at"), table_name="decisions")
    op.rename_table("decisions", "decisions_before")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER INDEX pk_decisions RENAME TO pk_decisions_before")
    made = op.create_table(
        "decisions",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("customer", sa.BigInteger(), nullable=True),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.Column("ledger_seq", sa.BigInteger(), nullable=False),
        sa.Column("model_name", sa.String(length=64), nullable=True),
        sa.Column("model_version", sa.String(length=32), nullable=True),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.Column("content_digest", sa.String(length=64), nullable=False),
        sa.Column("previous_hash", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_decisions")),
        sa.UniqueConstraint("id", name=op.f("uq_decisions_id")),
    )
    op.create_index(
        op.f("ix_decisions_customer_created_at"),
        "decisions",
        ["customer", "created_at"],
        unique=False,
    )
    op.create_index(op.f("ix_decisions_created_at"), "decisions", ["created_at"], unique=False)
    head = op.create_table(
        "decision_head",
        sa.Column("one_row", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("one_row", name=op.f("pk_decision_head")),
    )
    seq, previous = _copy_decisions(made)
    op.bulk_insert(head, [{"one_row": 1, "seq": seq, "hash": previous}])
    op.drop_table("decisions_before")


def _copy_decisions(made: sa.Table) -> tuple[int, str]:
    seq, previous = 0, ""
    connection = op.get_bind()
    found = connection.execute(
        sa.text("SELECT * FROM decisions_before ORDER BY created_at, id")
    ).mappings()
    while before := found.fetchmany(BATCH):
        rows = []
        for old in before:
            seq += 1
            rows.append(_chained(dict(old), seq, previous))
            previous = rows[-1]["hash"]
        op.bulk_insert(made, rows)
    return seq, previous


def _chained(old: dict[str, Any], seq: int, previous: str) -> dict[str, Any]:
    """A decision with its place in the chain.

    One that was damaged before stays known as damaged.
    """
    inputs, answer, before = old.pop("inputs"), old.pop("answer"), old.pop("digest")
    intact = (
        before
        == hashlib.sha256(
            f"{old['kind']}\n{old['customer']}\n{inputs}\n{answer}".encode()
        ).hexdigest()
    )
    content = (
        PLAIN
        + canonical(
            {"inputs": inputs, "answer": answer, **({} if intact else {"damaged": True})}
        ).encode()
    )
    row = {
        **old,
        "seq": seq,
        "content_digest": hashlib.sha256(content).hexdigest(),
        "previous_hash": previous,
    }
    return {**row, "hash": link(row), "content": content}


def _make_tables() -> None:
    op.create_table(
        "evidence",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("customer", sa.BigInteger(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_evidence")),
    )
    op.create_index(op.f("ix_evidence_customer"), "evidence", ["customer"], unique=False)
    op.create_table(
        "payload_keys",
        sa.Column("customer", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("master", sa.String(length=16), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("customer", name=op.f("pk_payload_keys")),
    )
    op.create_index(op.f("ix_payload_keys_master"), "payload_keys", ["master"], unique=False)
    op.create_table(
        "training_sets",
        sa.Column("run_id", sa.String(length=64), nullable=False),
        sa.Column("purpose", sa.String(length=64), nullable=False),
        sa.Column("ledger_seq", sa.BigInteger(), nullable=False),
        sa.Column("made_at", sa.String(length=32), nullable=False),
        sa.Column("customers", sa.LargeBinary(), nullable=False),
        sa.Column("erased", sa.Integer(), nullable=False),
        sa.Column("tainted_since", sa.String(length=32), nullable=True),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_training_sets")),
    )
    op.create_table(
        "suppressed",
        sa.Column("tag", sa.String(length=64), nullable=False),
        sa.Column("erased_at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("tag", name=op.f("pk_suppressed")),
    )
    op.create_table(
        "erasures",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("completed_at", sa.String(length=32), nullable=False),
        sa.Column("receipt", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_erasures")),
    )
    op.create_table(
        "corrections",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("customer", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_corrections")),
    )
    op.create_index(op.f("ix_corrections_customer"), "corrections", ["customer"], unique=False)
    op.create_table(
        "contact_permissions",
        sa.Column("customer", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("channel", sa.String(length=32), nullable=False),
        sa.Column("allowed", sa.Boolean(), nullable=False),
        sa.Column("stated_in", sa.String(length=255), nullable=False),
        sa.Column("recorded_at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("customer", "channel", name=op.f("pk_contact_permissions")),
    )
