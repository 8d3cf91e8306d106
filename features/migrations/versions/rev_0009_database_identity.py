"""A database has an id of its own, which its workspace knows."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the change."""
    op.create_table(
        "database_identity",
        sa.Column("one_row", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("made_at", sa.String(length=32), nullable=False),
        sa.Column("came_from", sa.String(length=40), nullable=True),
        sa.Column("moved_to", sa.String(length=40), nullable=True),
        sa.Column("moved_where", sa.Text(), nullable=True),
        sa.Column("moved_at", sa.String(length=32), nullable=True),
        sa.PrimaryKeyConstraint("one_row", name=op.f("pk_database_identity")),
    )
