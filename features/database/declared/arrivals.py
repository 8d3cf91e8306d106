"""The table of what the shop sent over HTTP."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, String, Table

from features.database.metadata import metadata

arrivals = Table(
    "arrivals",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("table_name", String(64), nullable=False),
    Column("row_tag", String(64), nullable=False, unique=True),
    Column("body_tag", String(64), nullable=False),
    Column("version", String(64)),
    Column("customer", BigInteger),
    Column("content", LargeBinary, nullable=False),
    Column("received_at", String(32), nullable=False),
    Column("actor", String(64)),
    Index(None, "customer"),
    Index(None, "table_name", "seq"),
    sqlite_autoincrement=True,
)
"""Rows that the shop sent over HTTP, in the order in which they came; the number of one that was
deleted is given to no other.

The shop's id of a row, and what it said, are kept as tags that tell whether it came before.
`version` is of a thing that is stated again as it changes, such as an order; `customer` is none for
a product.
"""
