"""One person is one person: numbers that were merged, the rule of the ids, and why a consent event
counts.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

NONE, ADDRESSES = "none", "addresses"


def upgrade() -> None:
    """Apply the change.

    Ids that are there are brought to the rule of `sayso.toml` when the shop is opened
    (`features.shop.one_person`), which needs the keys.
    """
    for name in ("stated_at", "rule"):
        op.add_column("consent_events", sa.Column(name, sa.String(length=32), nullable=True))
    op.create_table(
        "merged_customers",
        sa.Column("customer", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kept", sa.BigInteger(), nullable=False),
        sa.Column("merged_at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("customer", name=op.f("pk_merged_customers")),
    )
    op.create_index(op.f("ix_merged_customers_kept"), "merged_customers", ["kept"], unique=False)
    rule = op.create_table(
        "customer_id_rule",
        sa.Column("one_row", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("rule", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("one_row", name=op.f("pk_customer_id_rule")),
    )
    known = op.get_bind().execute(sa.text("SELECT 1 FROM customers LIMIT 1")).first()
    op.bulk_insert(rule, [{"one_row": 1, "rule": ADDRESSES if known is None else NONE}])
