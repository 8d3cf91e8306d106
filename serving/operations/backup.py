"""`sayso backup`: database, warehouse and models, as they were at one moment."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import Connection, func, select, text

from explain.words import OWN_WORDS
from features import clock
from features.customers.erasure_list import ErasureList
from features.customers.pseudonyms import suppressions
from features.customers.vault import Vault
from features.database.engine import Database
from features.database.identity import Identity, new_identity
from features.database.tables import consent_events
from features.progress import Progress, part_of, silent
from features.shop.binding import binding_of
from features.shop.shop import Shop
from features.shop.workspace import CONFIG_NAME, Workspace
from serving.operations.archive import (
    DATABASE,
    ERASED,
    KEYS,
    WAREHOUSE,
    Manifest,
    digests,
    packed,
    write_manifest,
)
from serving.operations.moving import Verified, fill

MLFLOW = "mlflow.db"
KEY_FILES = ("master.keys", "secret", "anchor.key")


def back_up(
    shop: Shop, out: Path, progress: Progress = silent, *, with_keys: bool = False
) -> Manifest:
    """Write a backup to `out`, an archive or a folder by its name; the service may go on meanwhile.

    Database and warehouse are of the same moment, and what was written is verified as a move of the
    database is. The keys are left out unless `with_keys`: without them what is encrypted in the
    backup, such as decisions, evidence and corrections, cannot be read.

    Raises `BackupBroken` where `out` is there already; whatever fails leaves nothing behind.
    """
    workspace, database = shop.workspace, shop.database
    with packed(out) as folder:
        with shop.warehouse.alone(), database.read() as connection:
            connection.execute(text("SELECT 1 FROM ledger_head")).all()  # the moment that is kept
            if shop.warehouse.filled:
                _copy_warehouse(shop, folder / WAREHOUSE)
            verified = _copy_database(shop, connection, folder, part_of(progress, 0.1, 0.7))
            last = connection.execute(select(func.max(consent_events.c.received_at))).scalar()
            ErasureList(folder / ERASED).add(suppressions(connection))
        progress("copying models", 0.8)
        _copy_files(workspace, folder, with_keys=with_keys)
        progress("noting what is in it", 0.9)
        manifest = _manifest(shop, folder, verified, last)
        write_manifest(folder, manifest)
    progress("done", 1.0)
    return manifest


def _copy_warehouse(shop: Shop, folder: Path) -> None:
    """The generation in use."""
    generation = shop.warehouse.generation
    shutil.copytree(shop.warehouse.folder / generation, folder / generation)
    (folder / "current").write_text(generation, encoding="ascii")


def _copy_database(
    shop: Shop, connection: Connection, folder: Path, progress: Progress
) -> Verified:
    """Into a file of SQLite, whichever kind the database is of."""
    copy = Database.open(f"sqlite:///{folder / DATABASE}")
    bound = binding_of(shop.workspace.root)
    identity = Identity(new_identity(), None if bound is None else bound.id, None, None)
    try:
        vault = Vault(copy, shop.workspace.master_keys)
        return fill(connection, copy, identity, vault, progress, shop.clock)
    finally:
        copy.close()


def _copy_files(workspace: Workspace, folder: Path, *, with_keys: bool) -> None:
    root = workspace.root
    shutil.copy2(root / CONFIG_NAME, folder)
    for part in (workspace.models, workspace.artifacts, root / OWN_WORDS):
        if part.is_dir():
            shutil.copytree(part, folder / part.name)
    if workspace.data_health.exists():
        shutil.copy2(workspace.data_health, folder)
    if (root / MLFLOW).exists():
        with (
            closing(sqlite3.connect(root / MLFLOW)) as source,
            closing(sqlite3.connect(folder / MLFLOW)) as copy,
        ):
            source.backup(copy)
    if with_keys:
        (folder / KEYS).mkdir(mode=0o700)
        for name in KEY_FILES:
            if (root / name).exists():
                shutil.copy2(root / name, folder / KEYS)


def _manifest(shop: Shop, folder: Path, verified: Verified, last: str | None) -> Manifest:
    bound = binding_of(shop.workspace.root)
    return Manifest(
        made_at=clock.to_text(shop.clock()),
        shop=shop.config.shop.name,
        database="" if bound is None else bound.id,
        events=verified.events,
        last_event_at=last,
        decisions=verified.decisions,
        kept_out=verified.kept_out,
        rows=verified.rows,
        files=digests(folder),
        keys=(folder / KEYS).exists(),
    )
