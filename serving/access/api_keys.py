"""API keys: shown once, kept as a digest, good for their scopes until they end."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from types import SimpleNamespace
from typing import Any

from sqlalchemy import ColumnElement, String, bindparam, insert, or_, select, update

from features import clock
from features.clock import Clock, utc_now
from features.database.engine import Database
from features.database.prepared import Prepared
from features.database.tables import api_keys
from features.errors import NotFound, SaysoError
from serving.access import revocations
from serving.access.caller import Caller
from serving.access.revocations import Revoked

SCOPES = (
    "recommend",
    "score",
    "explain",
    "ingest",
    "consent",
    "privacy",
    "review",
    "correct",
    "correct-bulk",
    "audience",
    "admin",
)
EVERY_SCOPE = "all"
PREFIX = "sayso_"
LONGEST_NAME, LONGEST_OWNER = 48, 128


class UnknownScope(SaysoError):
    """A scope that no route asks for."""


class KeyRefused(SaysoError):
    """A key cannot be made so: its name or owner is no short text, or its end is past."""


@dataclass(frozen=True)
class Key:
    """A key as it is kept: without its secret.

    `owner` is the person who answers for what is done with it. Times are texts of
    `features.clock`; None stands for never.
    """

    id: str
    scopes: frozenset[str]
    created_at: str
    revoked_at: str | None = None
    name: str = ""
    owner: str = ""
    expires_at: str | None = None
    last_used_at: str | None = None

    def allows(self, scope: str) -> bool:
        """Whether the key is good for `scope`."""
        return scope in self.scopes

    def caller(self, request_id: str | None = None) -> Caller:
        """The key as records name it."""
        return Caller(f"key:{self.name}", self.id, None, request_id)


class Keys:
    """The keys of one database."""

    def __init__(self, database: Database, clock: Clock = utc_now) -> None:
        self._database = database
        self._clock = clock

    def create(
        self,
        scopes: Sequence[str],
        name: str | None = None,
        owner: str | None = None,
        expires_at: datetime | None = None,
    ) -> tuple[Key, str]:
        """A new key and its secret, which cannot be shown again.

        Without a `name` it is called by its id, without an `owner` by its name. Raises
        `UnknownScope` and `KeyRefused`.
        """
        wanted = _known_scopes(scopes)
        now, id = self._clock(), "key_" + secrets.token_hex(8)
        called = _short("name", name or id, LONGEST_NAME)
        if expires_at is not None and expires_at <= now:
            raise KeyRefused(
                f"a key that ends on {clock.to_text(expires_at)} would be of no use: that is past"
            )
        key = Key(
            id,
            wanted,
            clock.to_text(now),
            name=called,
            owner=_short("owner", owner or called, LONGEST_OWNER),
            expires_at=None if expires_at is None else clock.to_text(expires_at),
        )
        secret = PREFIX + secrets.token_urlsafe(32)
        row = {name: value for name, value in vars(key).items() if name != "scopes"}
        with self._database.write() as connection:
            connection.execute(
                insert(api_keys).values(
                    **row, digest=_digest(secret), scopes=" ".join(sorted(wanted))
                )
            )
        return key, secret

    def find(self, secret: str) -> Key | None:
        """The key with that secret, while it is in force."""
        with self._database.read() as connection:
            found = _BY_SECRET.row(
                connection, digest=_digest(secret), now=clock.to_text(self._clock())
            )
        return (
            None
            if found is None
            else _key(SimpleNamespace(**dict(zip(api_keys.c.keys(), found, strict=True))))
        )

    def in_force(self, id: str) -> Key | None:
        """The key with that id, unless it was revoked or has ended."""
        rule = (api_keys.c.id == id, *_stands(clock.to_text(self._clock())))
        with self._database.read() as connection:
            found = connection.execute(select(api_keys).where(*rule)).one_or_none()
        return None if found is None else _key(found)

    def list(self) -> list[Key]:
        """All keys, oldest first."""
        with self._database.read() as connection:
            rows = connection.execute(select(api_keys).order_by(api_keys.c.created_at)).all()
        return [_key(row) for row in rows]

    def revoke(self, id: str, *, keep_links: bool = False) -> None:
        """Make a key useless from now on, and the links in its answers too, unless they are kept.

        Raises `NotFound`.
        """
        now = clock.to_text(self._clock())
        with self._database.write() as connection:
            statement = update(api_keys).where(api_keys.c.id == id, api_keys.c.revoked_at.is_(None))
            if not connection.execute(statement.values(revoked_at=now)).rowcount:
                raise NotFound(f"there is no key {id!r} in force; `sayso keys list` shows them")
            if not keep_links:
                revocations.write(connection, Revoked.KEY, id, now)

    def note_uses(self, used: Sequence[str]) -> None:
        """Write down that these keys, by id, were used just now."""
        statement = update(api_keys).where(api_keys.c.id.in_(used))
        with self._database.write() as connection:
            connection.execute(statement.values(last_used_at=clock.to_text(self._clock())))


def _stands(now: str | ColumnElement[str]) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    column = api_keys.c
    return column.revoked_at.is_(None), or_(column.expires_at.is_(None), column.expires_at > now)


_BY_SECRET = Prepared(
    select(api_keys).where(
        api_keys.c.digest == bindparam("digest"), *_stands(bindparam("now", type_=String))
    )
)


def _key(row: Any) -> Key:
    """A key from its row; one of an earlier version is called by its id."""
    name = row.name or row.id
    return Key(
        row.id,
        frozenset(row.scopes.split()),
        row.created_at,
        row.revoked_at,
        name,
        row.owner or name,
        row.expires_at,
        row.last_used_at,
    )


def _known_scopes(scopes: Sequence[str]) -> frozenset[str]:
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
    return wanted


def _short(what: str, text: str, longest: int) -> str:
    if not text.strip() or len(text) > longest or not text.isprintable():
        raise KeyRefused(
            f"the {what} of a key is a text of 1 to {longest} printable characters, and this is"
            f" {text[:longest]!r}"
        )
    return text.strip()


def _digest(secret: str) -> str:
    """SHA-256 is enough here: the secret is 256 random bits, so there is nothing to guess."""
    return hashlib.sha256(secret.encode()).hexdigest()
