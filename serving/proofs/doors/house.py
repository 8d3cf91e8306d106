"""The house whose doors are tried: a running service, keys of every kind, and what is seen of its
customers.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from features.consent.simulated import simulated_consents
from features.shop.online import refresh_online
from features.shop.shop import Shop
from serving.access.api_keys import SCOPES, Key, Keys
from serving.access.signed_links import Links
from serving.proofs.stage.synthetic_shop import make_shop, promote_both
from serving.server import free_port, running

SEED = 20_240_103
CUSTOMERS = 120
CALLERS = 4
ID = re.compile(r"made-up-\d{5}")
"""What the ids of the shop's customers look like."""


@dataclass
class House:
    """A running service, and what was found wrong with its doors."""

    shop: Shop
    url: str
    http: httpx.Client
    keys: Keys
    links: Links
    counts: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    @property
    def customers(self) -> list[str]:
        """The shop's ids of its customers."""
        return sorted(self.shop.customers.all().values())

    def key(self, *scopes: str) -> tuple[Key, dict[str, str]]:
        """A new key, and the header that says it."""
        key, secret = self.keys.create(scopes or ["all"], "-".join(scopes)[:40] or "all", "Nora")
        return key, {"Authorization": f"Bearer {secret}"}

    def ask(self, headers: dict[str, str], path: str, body: Any = None) -> dict[str, Any]:
        """The document of an answer that has to be a success; a POST where there is a `body`."""
        method = "GET" if body is None else "POST"
        response = self.http.request(method, path, json=body, headers=headers)
        document: dict[str, Any] = response.raise_for_status().json() if response.content else {}
        return document

    def allowed(self, customer_id: str) -> set[tuple[str, str]]:
        """What a customer allows now, as purpose and category."""
        state = self.shop.ledger.state(self.shop.customers.pseudonym(customer_id))
        return {(entry["purpose"], entry["category"]) for entry in state if entry["allowed"]}

    def expect(self, holds: bool, fault: str) -> None:
        """Note a fault unless something holds."""
        if not holds and len(self.faults) < 50:
            self.faults.append(fault)

    def at_once(self, calls: Sequence[Any]) -> list[httpx.Response]:
        """The responses to requests (arguments of `httpx.Client.request`) sent side by side."""
        with ThreadPoolExecutor(CALLERS) as callers:
            return list(callers.map(lambda call: self.http.request(**call), calls))


@contextmanager
def opened_house(folder: Path, database_url: str | None = None) -> Iterator[House]:
    """The house while the block runs; everybody in its shop allows everything."""
    folder.mkdir(parents=True, exist_ok=True)
    shop = make_shop(folder, SEED, CUSTOMERS, database_url)
    ids = sorted(shop.customers.all().values())
    shop.ledger.append_all(simulated_consents(shop.config.catalog, ids, SEED, everything=True))
    refresh_online(shop)
    promote_both(shop)
    with (
        running(shop.workspace, free_port(), folder / "service.log") as url,
        httpx.Client(base_url=url, timeout=60.0, trust_env=False) as http,
    ):
        links = Links(shop.workspace.secret(), url)
        yield House(shop, url, http, Keys(shop.database), links)
    shop.database.close()


__all__ = ["CALLERS", "ID", "SCOPES", "House", "opened_house"]
