"""A model can learn from customers for more than one purpose: who they were is kept for each."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

COLUMNS = ("run_id", "purpose", "ledger_seq", "made_at", "customers", "erased", "tainted_since")


def upgrade() -> None:
    """Apply the change."""
    before = sa.table("training_sets", *map(sa.column, COLUMNS))
    rows = [dict(row) for row in op.get_bind().execute(sa.select(before)).mappings()]
    op.drop_table("training_sets")
    made = op.create_table(
        "training_sets",
        sa.Column("run_id", sa.String(length=64), nullable=False),
        sa.Column("purpose", sa.String(length=64), nullable=False),
        sa.Column("ledger_seq", sa.BigInteger(), nullable=False),
        sa.Column("made_at", sa.String(length=32), nullable=False),
        sa.Column("customers", sa.LargeBinary(), nullable=False),
        sa.Column("erased", sa.Integer(), nullable=False),
        sa.Column("tainted_since", sa.String(length=32), nullable=True),
        sa.PrimaryKeyConstraint("run_id", "purpose", name=op.f("pk_training_sets")),
    )
    if rows:
        op.bulk_insert(made, rows)
