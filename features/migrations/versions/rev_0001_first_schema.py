"""The first schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the change."""
    op.create_table(
        "api_keys",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.Column("revoked_at", sa.String(length=32), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("digest", name=op.f("uq_api_keys_digest")),
    )
    op.create_table(
        "consent_events",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("customer", sa.BigInteger(), nullable=False),
        sa.Column("purpose", sa.String(length=64), nullable=False),
        sa.Column("category", sa.String(length=64), nullable=False),
        sa.Column("action", sa.String(length=16), nullable=False),
        sa.Column("notice_version", sa.String(length=64), nullable=True),
        sa.Column("method", sa.String(length=128), nullable=False),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.Column("occurred_at", sa.String(length=32), nullable=False),
        sa.Column("received_at", sa.String(length=32), nullable=False),
        sa.Column("idempotency_key", sa.String(length=128), nullable=True),
        sa.Column("previous_hash", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_consent_events")),
        sa.UniqueConstraint("idempotency_key", name=op.f("uq_consent_events_idempotency_key")),
    )
    op.create_index(
        op.f("ix_consent_events_customer_seq"), "consent_events", ["customer", "seq"], unique=False
    )
    op.create_table(
        "consent_state",
        sa.Column("customer", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("purpose", sa.String(length=64), nullable=False),
        sa.Column("category", sa.String(length=64), nullable=False),
        sa.Column("action", sa.String(length=16), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("customer", "purpose", "category", name=op.f("pk_consent_state")),
    )
    op.create_table(
        "customers",
        sa.Column("customer", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("customer", name=op.f("pk_customers")),
        sa.UniqueConstraint("external_id", name=op.f("uq_customers_external_id")),
    )
    op.create_table(
        "decisions",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("customer", sa.BigInteger(), nullable=True),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.Column("ledger_seq", sa.BigInteger(), nullable=False),
        sa.Column("model_name", sa.String(length=64), nullable=True),
        sa.Column("model_version", sa.String(length=32), nullable=True),
        sa.Column("inputs", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decisions")),
    )
    op.create_index(
        op.f("ix_decisions_customer_created_at"),
        "decisions",
        ["customer", "created_at"],
        unique=False,
    )
    op.create_table(
        "ledger_head",
        sa.Column("one_row", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("one_row", name=op.f("pk_ledger_head")),
    )
    op.create_table(
        "online_features",
        sa.Column("customer", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("purpose", sa.String(length=64), nullable=False),
        sa.Column("as_of", sa.String(length=32), nullable=False),
        sa.Column("layout", sa.String(length=64), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("customer", "purpose", name=op.f("pk_online_features")),
    )
    op.create_table(
        "opt_outs",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("customer", sa.BigInteger(), nullable=False),
        sa.Column("scope", sa.String(length=32), nullable=False),
        sa.Column("value", sa.Text(), nullable=True),
        sa.Column("until", sa.String(length=32), nullable=True),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_opt_outs")),
    )
    op.create_index(op.f("ix_opt_outs_customer"), "opt_outs", ["customer"], unique=False)
    op.execute("INSERT INTO ledger_head (one_row, seq, hash) VALUES (1, 0, '')")
    _refuse_changes_of_the_ledger()


def _refuse_changes_of_the_ledger() -> None:
    """An event once written stays as it is: the database itself refuses to change or remove it."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION refuse_ledger_change() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'the consent ledger is append-only'; END $$"
        )
        op.execute(
            "CREATE TRIGGER consent_events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON"
            " consent_events FOR EACH STATEMENT EXECUTE FUNCTION refuse_ledger_change()"
        )
        return
    for change in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER consent_events_no_{change.lower()} BEFORE {change} ON consent_events "
            "BEGIN SELECT RAISE(ABORT, 'the consent ledger is append-only'); END"
        )
    # INSERT OR REPLACE removes the old row without asking the trigger above, unless the connection
    # has recursive triggers
    op.execute(
        "CREATE TRIGGER consent_events_no_replacement BEFORE INSERT ON consent_events WHEN EXISTS"
        " (SELECT 1 FROM consent_events WHERE seq = NEW.seq OR idempotency_key ="
        " NEW.idempotency_key) BEGIN SELECT RAISE(ABORT, 'the consent ledger is append-only'); END"
    )
