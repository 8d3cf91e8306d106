"""API keys: shown once, kept as a digest, each good for the scopes it was made with."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import insert, select, update

from features import clock
from features.clock import Clock, utc_now
from features.database.engine import Database
from features.database.tables import api_keys
from features.errors import NotFound, SaysoError

SCOPES = ("recommend", "score", "explain", "ingest", "consent", "privacy", "review")
EVERY_SCOPE = "all"
PREFIX = "sayso_"


class UnknownScope(SaysoError):
    """A scope that no route asks for."""


@dataclass(frozen=True)
class Key:
    """A key as it is kept: without its secret."""

    id: str
    scopes: frozenset[str]
    created_at: str
    revoked_at: str | None

    def allows(self, scope: str) -> bool:
        """Whether the key is good for `scope`."""
        return scope in self.scopes


class Keys:
    """The keys of one database."""

    def __init__(self, database: Database, clock: Clock = utc_now) -> None:
        self._database = database
        self._clock = clock

    def create(self, scopes: Sequence[str]) -> tuple[Key, str]:
        """A new key and its secret, which cannot be shown again. Raises `UnknownScope`."""
        wanted = frozenset(SCOPES) if EVERY_SCOPE in scopes else frozenset(scopes)
        if unknown := sorted(wanted - set(SCOPES)):
            raise UnknownScope(
                f"no scope is called {', '.join(map(repr, unknown))}; there are {', '.join(SCOPES)}"
                f" and `{EVERY_SCOPE}`"
            )
        if not wanted:
            raise UnknownScope(
                f"a key needs at least one scope: {', '.join(SCOPES)} or `{EVERY_SCOPE}`"
            )
        secret = PREFIX + secrets.token_urlsafe(32)
        key = Key("key_" + secrets.token_hex(8), wanted, clock.to_text(self._clock()), None)
        with self._database.write() as connection:
            connection.execute(
                insert(api_keys).values(
                    id=key.id,
                    digest=_digest(secret),
                    scopes=" ".join(sorted(wanted)),
                    created_at=key.created_at,
                )
            )
        return key, secret

    def find(self, secret: str) -> Key | None:
        """The key with that secret, unless it was revoked."""
        with self._database.read() as connection:
            found = connection.execute(
                select(api_keys).where(api_keys.c.digest == _digest(secret))
            ).one_or_none()
        if found is None or found.revoked_at is not None:
            return None
        return Key(found.id, frozenset(found.scopes.split()), found.created_at, None)

    def in_force(self, id: str) -> Key | None:
        """The key with that id, unless it was revoked."""
        with self._database.read() as connection:
            found = connection.execute(
                select(api_keys).where(api_keys.c.id == id, api_keys.c.revoked_at.is_(None))
            ).one_or_none()
        return (
            None
            if found is None
            else Key(found.id, frozenset(found.scopes.split()), found.created_at, None)
        )

    def list(self) -> list[Key]:
        """All keys, oldest first."""
        with self._database.read() as connection:
            rows = connection.execute(select(api_keys).order_by(api_keys.c.created_at)).all()
        return [
            Key(row.id, frozenset(row.scopes.split()), row.created_at, row.revoked_at)
            for row in rows
        ]

    def revoke(self, id: str) -> None:
        """Make a key useless from now on. Raises `NotFound`."""
        with self._database.write() as connection:
            statement = update(api_keys).where(api_keys.c.id == id, api_keys.c.revoked_at.is_(None))
            if not connection.execute(
                statement.values(revoked_at=clock.to_text(self._clock()))
            ).rowcount:
                raise NotFound(f"there is no key {id!r} in force; `sayso keys list` shows them")


def _digest(secret: str) -> str:
    """SHA-256 is enough here: the secret is 256 random bits, so there is nothing to guess."""
    return hashlib.sha256(secret.encode()).hexdigest()
