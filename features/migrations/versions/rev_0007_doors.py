"""Doors: keys have a name, an owner, an end and a last use; links can be revoked, codes are used
once; records say who acted, and an erasure has one receipt.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

ADDED = {
    "api_keys": {"name": 48, "owner": 128, "expires_at": 32, "last_used_at": 32},
    "opt_outs": {"actor": 64},
    "corrections": {"actor": 64},
    "reviews": {"actor": 64},
    "audit_log": {"actor": 64, "link_id": 40, "request_id": 128},
}
"""Columns of text, with their longest text, by table."""


def upgrade() -> None:
    """Apply the change."""
    for table, columns in ADDED.items():
        for name, longest in columns.items():
            op.add_column(table, sa.Column(name, sa.String(length=longest), nullable=True))
    op.add_column("erasures", sa.Column("customer", sa.BigInteger(), nullable=True))
    op.create_index(op.f("ix_erasures_customer"), "erasures", ["customer"], unique=True)
    _make_tables()
    _keep_what_keys_could()


def _make_tables() -> None:
    op.create_table(
        "revocations",
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("value", sa.String(length=64), nullable=False),
        sa.Column("revoked_at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("kind", "value", name=op.f("pk_revocations")),
    )
    op.create_table(
        "one_time_codes",
        sa.Column("customer", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("good_for", sa.String(length=16), nullable=True),
        sa.Column("tries_left", sa.Integer(), nullable=False),
        sa.Column("expires_at", sa.String(length=32), nullable=False),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("customer", name=op.f("pk_one_time_codes")),
    )
    op.create_table(
        "wanted_codes",
        sa.Column("customer", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("good_for", sa.String(length=16), nullable=False),
        sa.Column("wanted_at", sa.String(length=32), nullable=False),
        sa.Column("told_at", sa.String(length=32), nullable=True),
        sa.PrimaryKeyConstraint("customer", name=op.f("pk_wanted_codes")),
    )


def _keep_what_keys_could() -> None:
    """Keys that could correct data under the scope `privacy` have the scopes that say so now."""
    keys = sa.table("api_keys", sa.column("id"), sa.column("scopes"))
    connection = op.get_bind()
    for id, scopes in connection.execute(sa.select(keys.c.id, keys.c.scopes)).all():
        if "privacy" in (held := scopes.split()):
            wider = " ".join(sorted({*held, "correct", "correct-bulk"}))
            connection.execute(keys.update().where(keys.c.id == id).values(scopes=wider))
