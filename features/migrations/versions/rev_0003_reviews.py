"""Human review: the queue, the bands that reviewers set, what was shown to whom, and which of the
staff looked at what.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the change."""
    _make_reviews()
    _make_shown()
    _make_accesses()


def _make_reviews() -> None:
    op.create_table(
        "reviews",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("customer", sa.BigInteger(), nullable=False),
        sa.Column("decision_id", sa.String(length=40), nullable=False),
        sa.Column("open_for", sa.String(length=40), nullable=True),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.Column("due_at", sa.String(length=32), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("reviewer", sa.Text(), nullable=True),
        sa.Column("outcome", sa.LargeBinary(), nullable=True),
        sa.Column("resolved_at", sa.String(length=32), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reviews")),
        sa.UniqueConstraint("open_for", name=op.f("uq_reviews_open_for")),
    )
    op.create_index(op.f("ix_reviews_customer"), "reviews", ["customer"], unique=False)
    op.create_index(op.f("ix_reviews_decision_id"), "reviews", ["decision_id"], unique=False)
    op.create_index(op.f("ix_reviews_status_due_at"), "reviews", ["status", "due_at"], unique=False)
    op.create_table(
        "set_bands",
        sa.Column("customer", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("band", sa.String(length=16), nullable=False),
        sa.Column("until", sa.String(length=32), nullable=False),
        sa.Column("review_id", sa.String(length=40), nullable=False),
        sa.Column("set_at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("customer", name=op.f("pk_set_bands")),
    )


def _make_shown() -> None:
    op.create_table(
        "shown",
        sa.Column("decision_id", sa.String(length=40), nullable=False),
        sa.Column("customer", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.String(length=128), nullable=False),
        sa.Column("shown_at", sa.String(length=32), nullable=False),
        sa.Column("places", sa.Integer(), nullable=False),
        sa.Column("explored", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("decision_id", name=op.f("pk_shown")),
    )
    op.create_index(
        op.f("ix_shown_customer_channel_shown_at"),
        "shown",
        ["customer", "channel", "shown_at"],
        unique=False,
    )
    op.create_index(op.f("ix_shown_shown_at"), "shown", ["shown_at"], unique=False)


def _make_accesses() -> None:
    op.create_table(
        "accesses",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("key_id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("at", sa.String(length=32), nullable=False),
        sa.Column("customer", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accesses")),
    )
    op.create_index(op.f("ix_accesses_customer"), "accesses", ["customer"], unique=False)
    op.create_index(op.f("ix_accesses_at"), "accesses", ["at"], unique=False)
