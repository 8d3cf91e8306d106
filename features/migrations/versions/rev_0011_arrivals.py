"""Rows that the shop sends over HTTP."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the change."""
    op.create_table(
        "arrivals",
        sa.Column("seq", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("table_name", sa.String(length=64), nullable=False),
        sa.Column("row_tag", sa.String(length=64), nullable=False),
        sa.Column("body_tag", sa.String(length=64), nullable=False),
        sa.Column("version", sa.String(length=64), nullable=True),
        sa.Column("customer", sa.BigInteger(), nullable=True),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("received_at", sa.String(length=32), nullable=False),
        sa.Column("actor", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_arrivals")),
        sa.UniqueConstraint("row_tag", name=op.f("uq_arrivals_row_tag")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_arrivals_customer"), "arrivals", ["customer"], unique=False)
    op.create_index(
        op.f("ix_arrivals_table_name_seq"), "arrivals", ["table_name", "seq"], unique=False
    )
