"""Two tables are called what practitioners call them: the audit log, and exposures."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

INDEXES = {
    ("accesses", "audit_log"): (("customer",), ("at",)),
    ("shown", "exposures"): (("customer", "channel", "shown_at"), ("shown_at",)),
}


def upgrade() -> None:
    """Apply the change."""
    for (before, now), indexes in INDEXES.items():
        for columns in indexes:
            op.drop_index(op.f(f"ix_{before}_{'_'.join(columns)}"), table_name=before)
        op.rename_table(before, now)
        if op.get_bind().dialect.name == "postgresql":
            op.execute(f"ALTER TABLE {now} RENAME CONSTRAINT pk_{before} TO pk_{now}")
        for columns in indexes:
            op.create_index(op.f(f"ix_{now}_{'_'.join(columns)}"), now, list(columns))
