"""Answers that are kept under the key of their request, and lists of products."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the change."""
    op.create_table(
        "kept_answers",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("kept_at", sa.String(length=32), nullable=False),
        sa.Column("customer", sa.BigInteger(), nullable=True),
        sa.Column("decision_id", sa.String(length=40), nullable=True),
        sa.Column("standing", sa.String(length=64), nullable=True),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_kept_answers")),
    )
    for column in ("customer", "decision_id", "kept_at"):
        op.create_index(op.f(f"ix_kept_answers_{column}"), "kept_answers", [column], unique=False)
    op.create_table(
        "product_lists",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("products", sa.Integer(), nullable=False),
        sa.Column("changed_at", sa.String(length=32), nullable=False),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_product_lists")),
    )
