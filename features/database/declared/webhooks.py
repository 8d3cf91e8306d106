"""Tables of calls out; `features.database.tables` has them beside all others."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, String, Table, Text

from features.database.metadata import metadata

webhooks = Table(
    "webhooks",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("content", LargeBinary, nullable=False),
    Column("events", Text, nullable=False),
    Column("created_at", String(32), nullable=False),
    Column("actor", String(64), nullable=False),
    Column("told_seq", BigInteger, nullable=False),
    Column("told_champions", Text, nullable=False),
)
"""Addresses to call: `content` is the address, sealed, and `events` a JSON list of what it is told.

`told_seq` is how far into the ledger it was told, and `told_champions` the champions that it knows
of (JSON).
"""

webhook_calls = Table(
    "webhook_calls",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("event_id", String(40), nullable=False),
    Column("webhook_id", String(40), nullable=False),
    Column("event", String(32), nullable=False),
    Column("customer", BigInteger),
    Column("content", LargeBinary),
    Column("made_at", String(32), nullable=False),
    Column("tries", Integer, nullable=False),
    Column("next_at", String(32), nullable=False),
    Column("until", String(32), nullable=False),
    Column("failed_because", Text),
    Column("gave_up_at", String(32)),
    Index(None, "customer"),
    Index(None, "gave_up_at", "next_at"),
    Index(None, "webhook_id"),
)
"""Calls that are still to be made, and those that were given up, whose `content` is gone.

A call goes as soon as it was taken. `content` is what it says, sealed; that of an erasure is not
the customer's any more, so it is sealed with the key of nobody and has no `customer`.
"""
