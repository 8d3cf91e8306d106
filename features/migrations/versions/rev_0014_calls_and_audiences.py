"""Calls out are queued, audiences are recorded, and the channel that a customer prefers is kept."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the change.

    Codes that are wanted just now are still on the shop's list; of those nobody is called.
    """
    op.drop_column("wanted_codes", "told_at")
    _calls()
    _contacts()


def _calls() -> None:
    op.create_table(
        "webhooks",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("events", sa.Text(), nullable=False),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.Column("told_seq", sa.BigInteger(), nullable=False),
        sa.Column("told_champions", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhooks")),
    )
    op.create_table(
        "webhook_calls",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("event_id", sa.String(length=40), nullable=False),
        sa.Column("webhook_id", sa.String(length=40), nullable=False),
        sa.Column("event", sa.String(length=32), nullable=False),
        sa.Column("customer", sa.BigInteger(), nullable=True),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.Column("made_at", sa.String(length=32), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("next_at", sa.String(length=32), nullable=False),
        sa.Column("until", sa.String(length=32), nullable=False),
        sa.Column("failed_because", sa.Text(), nullable=True),
        sa.Column("gave_up_at", sa.String(length=32), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_calls")),
    )
    for columns in (["customer"], ["gave_up_at", "next_at"], ["webhook_id"]):
        name = op.f(f"ix_webhook_calls_{'_'.join(columns)}")
        op.create_index(name, "webhook_calls", columns, unique=False)


def _contacts() -> None:
    op.create_table(
        "preferred_channels",
        sa.Column("customer", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("channel", sa.String(length=32), nullable=False),
        sa.Column("stated_in", sa.String(length=255), nullable=False),
        sa.Column("recorded_at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("customer", name=op.f("pk_preferred_channels")),
    )
    op.create_table(
        "audience_members",
        sa.Column("decision_id", sa.String(length=40), nullable=False),
        sa.Column("customer", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("given_at", sa.String(length=32), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("decision_id", "customer", name=op.f("pk_audience_members")),
    )
    for column in ("customer", "given_at"):
        name = op.f(f"ix_audience_members_{column}")
        op.create_index(name, "audience_members", [column], unique=False)
