"""Requests that their callers named with a key (`Idempotency-Key`): each is carried out once, and
its answer is kept for a day, to be given again to whoever sends the same once more.

As the IETF's draft-ietf-httpapi-idempotency-key-header has it. A key is one API key's own.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import timedelta

from sqlalchemy import Connection, String, bindparam, delete, insert

from features import clock
from features.database.prepared import Prepared, PreparedForMany
from features.database.tables import kept_answers
from features.errors import SaysoError

LIFE = timedelta(hours=24)
"""How long a key stands for its request."""
OTHER_REQUEST = (
    "This `Idempotency-Key` came with another request in the last 24 hours. Send the very same"
    " request again, or name this one with a key of its own."
)
ERASED = (
    "The request of this `Idempotency-Key` was carried out, and its answer is gone: somebody was"
    " erased since. Ask anew, with another key."
)


class KeyReused(SaysoError):
    """The key stands for another request."""


class AnswerOutdated(SaysoError):
    """The request was carried out, and its answer may not be given again."""


@dataclass(frozen=True)
class Asking:
    """A request with its key, as keyed digests: `digest` of the caller's API key and the key that
    it stated, `fingerprint` of all that was asked.
    """

    digest: str
    fingerprint: str
    secret: bytes = field(repr=False)

    @classmethod
    def of(cls, secret: str, key_id: str, stated: str, request: Sequence[bytes]) -> Asking:
        """A request whose caller `stated` a key; `request` are the parts of what it asks."""
        key = f"sayso.idempotency{secret}".encode()
        lengths = b",".join(str(len(part)).encode() for part in request)
        return cls(
            _digest(key, f"{key_id}\n{stated}".encode()),
            _digest(key, b"\n".join((lengths, *request))),
            key,
        )

    def part(self, name: str) -> str:
        """What stands for a part of the request that has an answer of its own."""
        return _digest(self.secret, f"{self.digest}\n{name}".encode())


def _digest(secret: bytes, content: bytes) -> str:
    return hmac.digest(secret, content, "sha256").hex()


@dataclass(frozen=True)
class Kept:
    """What is kept of a request (`features.database.declared.kept_answers`)."""

    digest: str
    fingerprint: str
    kept_at: str
    customer: int | None = None
    decision_id: str | None = None
    standing: str | None = None
    content: bytes | None = None


def find(connection: Connection, digests: Sequence[str], now: str) -> dict[str, Kept]:
    """What is kept under these digests at the moment `now`."""
    since = clock.to_text(clock.from_text(now) - LIFE)
    found = (Kept(*row) for row in _FIND.rows(connection, digests))
    return {one.digest: one for one in found if one.kept_at > since}


def find_same(connection: Connection, asking: Asking, now: str) -> Kept | None:
    """What is kept of this request. Raises `KeyReused` where its key stands for another one."""
    kept = find(connection, [asking.digest], now).get(asking.digest)
    if kept is not None:
        require_same(asking, kept)
    return kept


def require_same(asking: Asking, kept: Kept) -> None:
    """Raises `KeyReused` where something else was asked."""
    if not hmac.compare_digest(kept.fingerprint, asking.fingerprint):
        raise KeyReused(OTHER_REQUEST)


def keep(connection: Connection, rows: Sequence[Kept]) -> None:
    """Keep these, in place of what has outlived its day; within a transaction that writes."""
    _FORGET.run_all(connection, [{"outlived": one.digest} for one in rows])
    _KEEP.run_all(connection, [vars(one) for one in rows])


_COLUMNS = tuple(kept_answers.c[one.name] for one in fields(Kept))
_FIND = PreparedForMany(
    lambda asked: (
        kept_answers.select().with_only_columns(*_COLUMNS).where(kept_answers.c.digest.in_(asked))
    ),
    String(),
)
_FORGET = Prepared(delete(kept_answers).where(kept_answers.c.digest == bindparam("outlived")))
_KEEP = Prepared(insert(kept_answers), kept_answers.c.keys())
