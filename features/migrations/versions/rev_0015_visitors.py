"""A visitor who became a customer: who told of it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the change; numbers that were merged so far are of ids that were written in several
    ways, of which nobody told.
    """
    op.add_column("merged_customers", sa.Column("actor", sa.String(length=64), nullable=True))
