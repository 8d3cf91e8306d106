"""The table of lists of products that a shop keeps here, to name them in a request."""

from __future__ import annotations

from sqlalchemy import Column, Integer, LargeBinary, String, Table

from features.database.metadata import metadata

product_lists = Table(
    "product_lists",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("digest", String(64), nullable=False),
    Column("products", Integer, nullable=False),
    Column("changed_at", String(32), nullable=False),
    Column("actor", String(64), nullable=False),
    Column("content", LargeBinary, nullable=False),
)
"""`content` is the ids of the products in their order, one a line, compressed; `digest` is the
SHA-256 of those lines.
"""
