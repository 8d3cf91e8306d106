"""A made-up shop to be served: the orders of `tests.synthetic_shop` under ids that occur nowhere by
chance, and a client.
"""

from __future__ import annotations

import shutil
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import cycle
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
from sqlalchemy import exists, select

from experiments.training.registry import task
from experiments.training.train import train
from features.consent.ledger import ConsentEvent
from features.database.tables import (
    consent_events,
    contact_permissions,
    corrections,
    opt_outs,
    reviews,
    set_bands,
)
from features.intake.ingest import ingest
from features.intake.setup.new_workspace import create
from features.shop.online import refresh_online
from features.shop.shop import Shop
from features.shop.workspace import Workspace
from models.tracking import Tracking
from serving.access.signed_links import Links, Page
from serving.proofs.stage.synthetic_shop import CHURN as PROVED_CHURN
from serving.proofs.stage.synthetic_shop import NEXT_PURCHASE
from tests.synthetic_shop import CUSTOMERS, consents, order_lines, refusals

NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For requests over plain HTTP, each of which else reads all certificates of the machine."""
CANARY = "zqx-canary-"
"""What every customer id of this shop begins with; it must turn up nowhere that is not the shop's
own.
"""
SCRIPT = "<script>alert('mug')</script> & \"co\""
"""Title of a product."""
SHOP = "mugs"
"""What a workspace's folder is called."""
OWN_SITE = "https://mugs.example"
"""Where links in messages of the served shop may lead."""
AUDIENCE_AND_TOOL = """
[audiences.win_back]
purpose = "churn_prediction"
channels = ["web"]
bands = ["medium", "high"]
most = 2

[consent_tools.cookie_banner]
form = "consent-mode"

[[consent_tools.cookie_banner.choices]]
purpose = "recommendations"
categories = ["location"]
needs = ["personalization_storage"]
notice_version = "1"
"""
"""What sayso.toml of the served shop says of who may be written to, and of a consent tool."""
DEPARTMENTS, BRANDS = 5, 7
KEPT_FOR_ALL = 6
"""Customers sharing nothing that tests have in common, as there are few."""
FOR_CHURN, FOR_ITEMS = "churn_prediction", "recommendations"
CATEGORIES = ("purchases", "order_times", "spending", "location")
CHURN = replace(PROVED_CHURN, taught_trees=100, masked_rows=20_000)


def customer_id(number: int) -> str:
    """The shop's id of a customer."""
    return f"{CANARY}c{number:03}"


def write_lines(file: Path) -> Path:
    """Orders with departments and brands, and one product whose title tries to be a script."""
    lines = order_lines()
    numbers = lines["product_id"].str[1:].astype(int)
    changed = {
        "customer_id": CANARY + lines["customer_id"],
        "title": lines["title"].where(lines["product_id"] != "p01", SCRIPT),
        "product_category": "department " + (numbers % DEPARTMENTS).astype(str),
        "brand": "brand " + (numbers % BRANDS).astype(str),
    }
    lines.assign(**changed).to_csv(file, index=False)
    return file


def said(shop: Shop) -> list[ConsentEvent]:
    """What the customers said: see `tests.synthetic_shop`."""
    return [
        replace(event, customer_id=CANARY + event.customer_id)
        for event in consents(shop.config.catalog)
    ]


def make_shop(folder: Path) -> Path:
    """A workspace with orders and consents, whose models are not trained yet."""
    root = folder / SHOP
    create(root, [write_lines(folder / "orders.csv")])
    shop = Shop(Workspace.open(root))
    ingest(shop.workspace, shop.database)
    shop.ledger.append_all(said(shop))
    refresh_online(shop)
    shop.database.close()
    return root


def train_both(shop: Shop, tracking: Tracking) -> None:
    """Train small models and make them champions, whatever the gates say of them."""
    for run in (
        train(task("churn"), shop, tracking, settings=CHURN),
        train(task("next_purchase"), shop, tracking, settings=NEXT_PURCHASE),
    ):
        tracking.promote(run.version, {"made_up": "a test promoted it"})


def copied(original: Path, root: Path) -> Path:
    """A copy of a workspace that nobody has open."""
    shutil.copytree(original, root)
    return root


def sharing(*categories: str) -> list[str]:
    """Customers who share exactly these categories for every purpose, by the consents that the shop
    starts with.
    """
    wanted = set(CATEGORIES) - set(categories)
    found = []
    for number in range(CUSTOMERS):
        refused = refusals(number, CATEGORIES)
        if refused is not None and set(refused) == wanted:
            found.append(customer_id(number))
    return found


class Pool:
    """Customers by what they share at the start; whoever is taken is given out again only where
    nobody is left whom nothing befell.
    """

    def __init__(self, everything: tuple[str, ...], shop: Shop) -> None:
        """`everything` names the categories of those who share all."""
        self._everything, self._shop, self._begun = everything, shop, shop.ledger.position()
        self._left: dict[frozenset[str], list[str]] = {}
        self._sharing_nothing = cycle(sharing()[-KEPT_FOR_ALL:])

    def take(self, count: int, categories: tuple[str, ...] | None = None) -> list[str]:
        """That many customers who share exactly `categories` (everything where it is None)."""
        shared = self._everything if categories is None else categories
        left = self._left.setdefault(
            frozenset(shared), sharing(*shared) if shared else sharing()[:-KEPT_FOR_ALL]
        )
        if len(left) < count:
            left = [
                *left,
                *(one for one in sharing(*shared) if one not in left and self._as_it_began(one)),
            ]
        taken, self._left[frozenset(shared)] = left[:count], left[count:]
        if len(taken) < count:
            raise AssertionError(
                f"only {len(taken)} of {count} customers who share {shared} are left"
            )
        return taken

    def _as_it_began(self, customer_id: str) -> bool:
        """Whether the tests so far only asked about a customer, and changed nothing of theirs."""
        customer = self._shop.customers.find(customer_id)
        changes = [
            table.c.customer == customer
            for table in (opt_outs, corrections, contact_permissions, reviews, set_bands)
        ]
        changes.append(
            (consent_events.c.customer == customer) & (consent_events.c.seq > self._begun)
        )
        with self._shop.database.read() as connection:
            return customer is not None and not any(
                connection.execute(select(exists().where(one))).scalar() for one in changes
            )

    def one(self, categories: tuple[str, ...] | None = None) -> str:
        """One such customer; who shares nothing is given to several tests, which must leave them as
        they are.
        """
        return next(self._sharing_nothing) if categories == () else self.take(1, categories)[0]


def products_by(column: str, lines: pd.DataFrame) -> dict[str, set[str]]:
    """Product ids by the values of a column of the shop's file."""
    return {str(name): set(part["product_id"]) for name, part in lines.groupby(column)}


@dataclass
class Client:
    """A caller of the service with a key."""

    url: str
    key: str
    links: Links

    def __post_init__(self) -> None:
        """Open the connection."""
        self.http = httpx.Client(
            base_url=self.url, headers={"Authorization": f"Bearer {self.key}"}, timeout=30.0
        )

    def recommend(self, customer: str | None, **fields: Any) -> dict[str, Any]:
        """The answer to `POST /v1/recommendations`."""
        headers = fields.pop("headers", None)
        return self.answer(
            self.http.post(
                "/v1/recommendations", json={"customer_id": customer, **fields}, headers=headers
            )
        )

    def churn(self, customer: str, **fields: Any) -> dict[str, Any]:
        """The answer to `POST /v1/churn`."""
        return self.answer(self.http.post("/v1/churn", json={"customer_id": customer, **fields}))

    def say(self, customer: str, purpose: str, category: str, action: str) -> dict[str, Any]:
        """Record what a customer said."""
        said = {
            "customer_id": customer,
            "purpose": purpose,
            "category": category,
            "action": action,
            "method": "test",
        }
        return self.answer(
            self.http.post(
                "/v1/consents", json=said | ({"notice_version": "1"} if action == "granted" else {})
            ),
            201,
        )

    def opt_out(
        self, customer: str, scope: str, value: str | None = None, **fields: Any
    ) -> dict[str, Any]:
        """Record an opt-out."""
        body = {
            "customer_id": customer,
            "scope": scope,
            **({} if value is None else {"value": value}),
            **fields,
        }
        return self.answer(self.http.post("/v1/opt-outs", json=body), 201)

    def replay(self, decision_id: str) -> dict[str, Any]:
        """A decision, made again."""
        return self.answer(self.http.get(f"/v1/decisions/{decision_id}", params={"replay": "true"}))

    def page(self, address: str) -> httpx.Response:
        """A customer's page, asked for without a key."""
        url = self.url + address if address.startswith("/") else address
        return httpx.get(url, timeout=30.0, verify=NO_TLS)

    def press(self, address: str, **form: str) -> httpx.Response:
        """A button of a customer's page, without following where it leads."""
        url = self.url + address if address.startswith("/") else address
        return httpx.post(url, data=form, timeout=30.0, verify=NO_TLS)

    def preferences(self, pseudonym: int) -> str:
        """Address of a customer's preferences."""
        return self.links.path(Page.PREFERENCES, str(pseudonym))

    @staticmethod
    def answer(response: httpx.Response, status: int = 200) -> dict[str, Any]:
        """The document of an answer that has to be a success."""
        if response.status_code != status:
            raise AssertionError(
                f"{response.request.method} {response.request.url}: {response.status_code}"
                f" {response.text}"
            )
        document: dict[str, Any] = response.json()
        return document


def everything_in(document: object) -> Iterator[object]:
    """Every key and value of a JSON document, at any depth."""
    if isinstance(document, dict):
        for name, value in document.items():
            yield name
            yield from everything_in(value)
    elif isinstance(document, list):
        for value in document:
            yield from everything_in(value)
    else:
        yield document
