"""Databases that are not the workspace's, and parts of it that are missing: refused, and nothing is
made in their place.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from features.config.environment import Settings
from features.customers.vault import NOBODY
from features.database.engine import Database
from features.database.identity import identity_of
from features.errors import SaysoError
from features.intake.ingest import ingest
from features.intake.setup.new_workspace import create
from features.shop.faults import faults
from features.shop.workspace import BINDING, Workspace
from serving.proofs.moving.furnished_shop import files_of, shop_in
from serving.proofs.stage.empty_shop import make_empty_shop

MISSING = ("master.keys", "secret", "anchor.key", "sayso.toml", "sayso.db")


def wrong_databases(root: Path, folder: Path, empty: dict[str, str]) -> tuple[int, list[str]]:
    """Point the workspace at databases that are not its own and load its sources; how many were
    tried, and what was not refused or was changed.
    """
    other = make_empty_shop(folder / "other")
    addresses = {**empty, "of another shop": f"sqlite:///{other / 'sayso.db'}"}
    before, found = files_of(root, "warehouse"), []
    unbound = folder / "unbound"
    shutil.copytree(root, unbound)
    (unbound / BINDING).unlink()
    for name, url in addresses.items():
        for whose, where in (("", root), (", by one that lost its note", unbound)):
            try:
                with shop_in(where, url) as shop:
                    ingest(shop.workspace, shop.database)
                found.append(f"a database {name} was not refused{whose}")
            except SaysoError as error:
                if "SAYSO_DATABASE_URL" not in str(error):
                    found.append(f"a database {name} was refused without what to do: {error}")
        if name in empty and not _untouched(url):
            found.append(f"a database {name} was changed")
    if files_of(root, "warehouse") != before:
        found.append("the warehouse was changed")
    return 2 * len(addresses), found


def missing_parts(root: Path) -> tuple[int, list[str]]:
    """Take away one part after the other, with the workspace closed and while it is in use; how
    many were tried, and what was made anew or not told.
    """
    found: list[str] = []
    for name in MISSING:
        for kind, use in (("closed", _open), ("in use", None)):
            found += [f"{name}, {kind}: {fault}" for fault in _without(root, name, use)]
    return 2 * len(MISSING), found


def _without(root: Path, name: str, use: Callable[[Path], None] | None) -> Iterator[str]:
    with shop_in(root) as shop:
        if use is None:
            shop.ledger.position()
        with _away(root / name):
            if not _told(root, name):
                yield "nobody is told what to do"
            try:
                if use is not None:
                    use(root)
                else:
                    with shop.database.write() as connection:
                        shop.vault.keys_for_sealing(connection, [NOBODY, 4711])
                    shop.workspace.secret()
                    shop.anchors.take()
            except SaysoError:
                pass
            else:
                if name != "sayso.toml" or use is not None:
                    yield "it was used all the same"
            if (root / name).exists():
                yield "it was made anew"


def _open(root: Path) -> None:
    """All that a service does with keys, secret, ledger and catalog when it starts."""
    with shop_in(root) as shop:
        shop.workspace.secret()
        shop.anchors.take()
        with shop.database.write() as connection:
            shop.vault.keys_for_sealing(connection, [4712])
    try:
        create(root)
    except SaysoError:
        return


def _told(root: Path, name: str) -> bool:
    workspace = Workspace.found(root, Settings.model_construct(workspace=root, database_url=None))
    return any(name in sentence or "put" in sentence for sentence in faults(workspace))


@contextmanager
def _away(file: Path) -> Iterator[None]:
    """A file is not there while the block runs, and is as it was afterwards."""
    aside = file.with_name(f"{file.name}.aside")
    file.rename(aside)
    try:
        yield
    finally:
        os.replace(aside, file)


def _untouched(url: str) -> bool:
    """Whether a database that was empty still is."""
    database = Database(url)
    try:
        with database.read() as connection:
            return identity_of(connection) is None
    except SaysoError:  # a file of SQLite that was not even made
        return True
    finally:
        database.close()
