"""Tables of what comes back of decisions; `features.database.tables` has them beside all others."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, LargeBinary, String, Table

from features.database.metadata import metadata

reporting_channels = Table(
    "reporting_channels",
    metadata,
    Column("channel", String(128), primary_key=True),
    Column("told_at", String(32), nullable=False),
)
"""Channels of which the shop tells what was shown, and when it last did."""

decision_events = Table(
    "decision_events",
    metadata,
    Column("event_id", String(128), primary_key=True),
    Column("decision_id", String(40), nullable=False),
    Column("customer", BigInteger),
    Column("kind", String(16), nullable=False),
    Column("occurred_at", String(32), nullable=False),
    Column("received_at", String(32), nullable=False),
    Column("actor", String(64), nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("content", LargeBinary, nullable=False),
    Index(None, "customer"),
    Index(None, "decision_id"),
    Index(None, "occurred_at"),
)
"""What came of decisions (`features.events`); `fingerprint` tells two events of one id apart."""
