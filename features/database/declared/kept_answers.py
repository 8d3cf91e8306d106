"""The table of requests that their callers named with a key, so that each is carried out once."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, LargeBinary, String, Table

from features.database.metadata import metadata

kept_answers = Table(
    "kept_answers",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("fingerprint", String(64), nullable=False),
    Column("kept_at", String(32), nullable=False),
    Column("customer", BigInteger),
    Column("decision_id", String(40)),
    Column("standing", String(64)),
    Column("content", LargeBinary),
    Index(None, "customer"),
    Index(None, "decision_id"),
    Index(None, "kept_at"),
)
"""The key and the request are kept as keyed digests (`digest`, `fingerprint`).

`content` is sealed: the answer or, where a decision was given, what stood around it in the answer;
nothing once its customer was erased. `standing` is a digest of what the customer allowed when the
decision was made.
"""
