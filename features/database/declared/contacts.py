"""Tables of how customers may be written to; `features.database.tables` has them too."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, LargeBinary, String, Table

from features.database.metadata import metadata

contact_permissions = Table(
    "contact_permissions",
    metadata,
    Column("customer", BigInteger, primary_key=True, autoincrement=False),
    Column("channel", String(32), primary_key=True),
    Column("allowed", Boolean, nullable=False),
    Column("stated_in", String(255), nullable=False),
    Column("recorded_at", String(32), nullable=False),
)

preferred_channels = Table(
    "preferred_channels",
    metadata,
    Column("customer", BigInteger, primary_key=True, autoincrement=False),
    Column("channel", String(32), nullable=False),
    Column("stated_in", String(255), nullable=False),
    Column("recorded_at", String(32), nullable=False),
)
"""The channel by which a customer would rather be written to, as the shop recorded it."""

audience_members = Table(
    "audience_members",
    metadata,
    Column("decision_id", String(40), primary_key=True),
    Column("customer", BigInteger, primary_key=True, autoincrement=False),
    Column("given_at", String(32), nullable=False),
    Column("content", LargeBinary, nullable=False),
    Index(None, "customer"),
    Index(None, "given_at"),
)
"""Who was in an audience that left, by the decision that records it; `content` is what was said of
them, sealed.
"""
