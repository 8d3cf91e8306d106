"""A small shop with something of every kind in it, and what all of that amounts to."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import create_engine, make_url

from features import clock
from features.config.environment import Settings
from features.consent.event import ConsentEvent
from features.database.copying import Copied, summed, tables_of_content
from features.progress import Progress
from features.shop.shop import Shop
from features.shop.workspace import Workspace
from models.artifact_digest import seal
from models.registry import CHAMPION, FILES_DIGEST, Entry, Registry, Version
from serving.access.api_keys import Keys
from serving.decisions.record import Decision, new_id, record
from serving.delivery.opt_outs import OptOuts
from serving.proofs.stage import small_shop
from serving.proofs.stage.postgres import PostgresServer
from serving.rights.rights import Rights

IDS = small_shop.IDS
ERASED_BEFORE = IDS[:3]
"""Customers who are erased before anything moves."""
EVERY = 7
"""One customer in so many has an opt-out, a decision and evidence."""


def furnish(folder: Path, progress: Progress) -> Path:
    """Make the shop in `folder`; its workspace."""
    shop = small_shop.make_shop(folder, progress, train=False)
    now = clock.to_text(shop.clock())
    for number, customer_id in enumerate(IDS[::EVERY]):
        customer = shop.customers.pseudonym(customer_id)
        OptOuts(shop.database).add(customer, "product", f"product-{number}", None)
        with shop.database.write() as connection:
            decision = Decision(
                new_id(), customer, "proof", now, 1, None, None, "{}", f'{{"number":{number}}}'
            )
            record(connection, shop.vault, [decision])
    shop.ledger.append_all(_with_evidence(shop))
    Keys(shop.database, shop.clock).create(["score"])
    _add_model(folder, shop)
    for customer_id in ERASED_BEFORE:
        Rights(shop).erase(customer_id)
    shop.database.close()
    return shop.workspace.root


def workspace_of(root: Path, database_url: str | None = None) -> Workspace:
    """The workspace in `root`, as somebody opens it who sets `SAYSO_DATABASE_URL` so, or not at
    all, whatever the environment of this proof says.
    """
    return Workspace.open(root, Settings.model_construct(workspace=root, database_url=database_url))


@contextmanager
def shop_in(root: Path, database_url: str | None = None) -> Iterator[Shop]:
    """The shop of `workspace_of`, while the block runs."""
    shop = Shop(workspace_of(root, database_url))
    try:
        yield shop
    finally:
        if "database" in shop.__dict__:
            shop.database.close()


def content_of(shop: Shop) -> dict[str, Copied]:
    """What every table of a shop's database holds."""
    with shop.database.read() as connection:
        return {table.name: summed(connection, table) for table in tables_of_content()}


def files_of(root: Path, *parts: str) -> dict[str, str]:
    """SHA-256 of every file in those folders of a workspace, by its path."""
    found = [file for part in parts for file in (root / part).rglob("*") if file.is_file()]
    return {
        file.relative_to(root).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in found
        if file.name != "lock"
    }


def empty_schema(server: PostgresServer, name: str) -> str:
    """Address of a new and empty schema of a server."""
    engine = create_engine(server.url)
    with engine.begin() as connection:
        connection.exec_driver_sql(f"CREATE SCHEMA {name}")
    engine.dispose()
    address = make_url(f"{server.url}&options=-csearch_path%3D{name}")
    return address.render_as_string(hide_password=False)


def _with_evidence(shop: Shop) -> list[ConsentEvent]:
    catalog = shop.config.catalog
    purpose = next(iter(catalog.purposes))
    category = next(iter(catalog.askable(purpose)))
    version = catalog.current_notice(purpose).version
    return [
        ConsentEvent(
            customer_id,
            purpose,
            category,
            "granted",
            "proof",
            version,
            evidence=f"form of {number}",
        )
        for number, customer_id in enumerate(IDS[::EVERY])
    ]


def _add_model(folder: Path, shop: Shop) -> None:
    """A version with files, as training leaves one."""
    files = folder / "files"
    files.mkdir()
    (files / "manifest.json").write_text('{"made": "up"}', encoding="utf-8")
    version = Version("churn", "1", "run", shop.clock(), {"auc": 0.7}, {FILES_DIGEST: seal(files)})
    Registry(shop.database, shop.workspace.models).add(Entry(version, files, (CHAMPION,)))
