"""Who is called: the addresses that the shop's programs asked to be called at, and the one that
sayso.toml states.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from sqlalchemy import Connection, delete, func, insert, select

from features import clock
from features.clock import Clock
from features.config.environment import Env
from features.config.schema import Webhooks as Stated
from features.consent.ledger import position
from features.customers.vault import NOBODY, Vault
from features.database.engine import Database
from features.database.tables import model_roles, webhook_calls, webhooks
from features.errors import NotFound, SaysoError
from features.shop.shop import Shop
from models.registry import CHAMPION
from serving.webhooks.addresses import Rules
from serving.webhooks.event import EventKind

IN_CONFIG = "sayso.toml"
"""What stands for the id of the address that sayso.toml states."""
MOST = 50


class NotSigned(SaysoError):
    """Nobody is called, as there is nothing to sign with."""


class TooManyWebhooks(SaysoError):
    """There are as many addresses as there may be."""


@dataclass(frozen=True)
class Target:
    """An address, and what it is told."""

    id: str
    url: str
    events: tuple[str, ...]
    created_at: str
    actor: str

    @property
    def host(self) -> str:
        """Where it is, without what may be secret in it."""
        return urlsplit(self.url).hostname or ""


class Targets:
    """The addresses of one database, and of `stated`.

    `rules` are for those that are taken at run time, `trusted` for the one that the shop's own
    operator wrote down.
    """

    def __init__(
        self,
        database: Database,
        vault: Vault,
        stated: Stated,
        *,
        signed: bool,
        production: bool,
        now: Clock,
    ) -> None:
        self._database, self._vault, self._stated = database, vault, stated
        self._signed, self._clock = signed, now
        self.rules = Rules(production, named=stated.private_hosts)
        self.trusted = Rules(production, production, stated.private_hosts)

    @classmethod
    def of(cls, shop: Shop) -> Targets:
        """Those of a shop."""
        settings = shop.workspace.settings
        return cls(
            shop.database,
            shop.vault,
            shop.config.webhooks,
            signed=settings.webhook_secret is not None,
            production=settings.env is Env.PRODUCTION,
            now=shop.clock,
        )

    def add(self, url: str, events: Collection[EventKind], actor: str) -> Target:
        """Check an address and take it. Raises `AddressRefused`, `NotSigned`, `TooManyWebhooks`."""
        self.check(url)
        return self.take(url, events, actor)

    def check(self, url: str) -> None:
        """Raises `AddressRefused` and `NotSigned` for an address that cannot be called. It looks a
        name up, which may take seconds: not for a transaction.
        """
        if not self._signed:
            raise NotSigned(
                "Calls cannot be signed: have SAYSO_WEBHOOK_SECRET set to at least 32 random"
                " characters, which the receiver has too, and start the service again."
            )
        self.rules.check(url)

    def take(self, url: str, events: Collection[EventKind], actor: str) -> Target:
        """Take an address that was checked: it is told of what happens from now on.

        Raises `TooManyWebhooks`.
        """
        made = Target(
            "whk_" + secrets.token_hex(12),
            url,
            tuple(sorted({event.value for event in events})),
            clock.to_text(self._clock()),
            actor,
        )
        with self._database.write() as connection:
            self._write(connection, made)
        return made

    def _write(self, connection: Connection, made: Target) -> None:
        count = connection.execute(select(func.count()).select_from(webhooks)).scalar_one()
        if count >= MOST:
            raise TooManyWebhooks(f"There are {count} webhooks, and no more than {MOST} may be.")
        key = self._vault.key(connection, None)
        row = {
            "id": made.id,
            "content": key.seal(made.url.encode(), _about(made.id)),
            "events": json.dumps(made.events),
            "created_at": made.created_at,
            "actor": made.actor,
            "told_seq": position(connection),
            "told_champions": json.dumps(champions(connection)),
        }
        connection.execute(insert(webhooks), row)

    def all(self) -> Sequence[Target]:
        """The addresses that were taken, oldest first."""
        with self._database.read() as connection:
            rows = connection.execute(select(webhooks).order_by(webhooks.c.created_at)).all()
            key = self._vault.keys(connection, [NOBODY]).get(NOBODY)
        return [
            Target(
                row.id,
                key.open(row.content, _about(row.id)).decode(),
                tuple(json.loads(row.events)),
                row.created_at,
                row.actor,
            )
            for row in rows
            if key is not None
        ]

    def remove(self, id: str) -> None:
        """Call an address no more, nor make the calls to it that are left. Raises `NotFound`."""
        with self._database.write() as connection:
            if not connection.execute(delete(webhooks).where(webhooks.c.id == id)).rowcount:
                raise NotFound("There is no such webhook.")
            connection.execute(delete(webhook_calls).where(webhook_calls.c.webhook_id == id))

    def told_of(self, connection: Connection, kind: EventKind) -> list[str]:
        """The ids of those who are told of what happens, within a transaction."""
        rows = connection.execute(select(webhooks.c.id, webhooks.c.events)).all()
        found = [row.id for row in rows if kind in json.loads(row.events)]
        return [*found, IN_CONFIG] if self._stated_for(kind) else found

    def addresses(self) -> dict[str, tuple[str, Rules]]:
        """Each address by its id, with the rules for it."""
        found = {target.id: (target.url, self.rules) for target in self.all()}
        if self._signed and self._stated.code_wanted is not None:
            found[IN_CONFIG] = (self._stated.code_wanted, self.trusted)
        return found

    def _stated_for(self, kind: EventKind) -> bool:
        stated = self._stated.code_wanted is not None and kind is EventKind.CODE_WANTED
        return stated and self._signed


def champions(connection: Connection) -> dict[str, str]:
    """Which version of each model is champion, within a transaction."""
    query = select(model_roles.c.model, model_roles.c.version).where(model_roles.c.role == CHAMPION)
    return {row.model: row.version for row in connection.execute(query)}


def _about(id: str) -> str:
    return f"webhook:{id}"
