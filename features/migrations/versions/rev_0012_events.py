"""What comes back of decisions; an exposure is confirmed, or lapses."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the change.

    What was shown before goes on counting, so it is confirmed.
    """
    op.add_column(
        "exposures",
        sa.Column("confirmed", sa.Boolean(), server_default=sa.false(), nullable=False),
    )
    exposures = sa.table("exposures", sa.column("confirmed", sa.Boolean()))
    op.execute(exposures.update().values(confirmed=True))
    op.create_table(
        "reporting_channels",
        sa.Column("channel", sa.String(length=128), nullable=False),
        sa.Column("told_at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("channel", name=op.f("pk_reporting_channels")),
    )
    op.create_table(
        "decision_events",
        sa.Column("event_id", sa.String(length=128), nullable=False),
        sa.Column("decision_id", sa.String(length=40), nullable=False),
        sa.Column("customer", sa.BigInteger(), nullable=True),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("occurred_at", sa.String(length=32), nullable=False),
        sa.Column("received_at", sa.String(length=32), nullable=False),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_decision_events")),
    )
    for column in ("customer", "decision_id", "occurred_at"):
        name = op.f(f"ix_decision_events_{column}")
        op.create_index(name, "decision_events", [column], unique=False)
