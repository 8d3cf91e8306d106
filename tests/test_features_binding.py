"""A workspace knows its database, and nothing is invented to go on."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import inspect

from features.clock import utc_now
from features.config.environment import Settings
from features.customers.master_keys import MasterKeyMissing
from features.customers.vault import NOBODY
from features.database.engine import Database
from features.database.identity import mark_moved
from features.errors import WorkspaceError
from features.intake.ingest import ingest
from features.intake.setup.new_workspace import create
from features.shop.binding import DatabaseMoved, WrongDatabase, binding_of
from features.shop.faults import faults
from features.shop.private_files import open_files
from features.shop.shop import Shop
from features.shop.workspace import BINDING, Workspace


@contextmanager
def opened(root: Path, url: str | None = None) -> Iterator[Shop]:
    """The shop in `root`, as with `SAYSO_DATABASE_URL` set to `url`."""
    shop = Shop(Workspace.open(root, Settings(workspace=root, database_url=url)))
    try:
        yield shop
    finally:
        if "database" in shop.__dict__:
            shop.database.close()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A new workspace that has its database."""
    create(tmp_path / "shop")
    with opened(tmp_path / "shop") as shop:
        shop.ledger.position()
    return tmp_path / "shop"


def test_the_first_database_becomes_the_workspaces_own(root: Path) -> None:
    """Both know the same id, the keys are made with it, and it can be opened again; nobody but the
    owner may open what is private.
    """
    bound = binding_of(root)
    assert bound is not None
    with opened(root) as shop:
        assert shop.ledger.position() == 0
        private = shop.workspace.private_files
        assert open_files(shop.workspace) == []
    names = {file.name for file in private}
    assert {"master.keys", "secret", "anchor.key", BINDING, "sayso.db", "erased.list"} <= names


def test_an_empty_database_is_refused_and_stays_empty(root: Path, database_url: str) -> None:
    """Pointing the variable at an empty database of either kind is refused with what to do, and
    nothing is made in it.
    """
    with opened(root, database_url) as shop, pytest.raises(WrongDatabase) as refused:
        shop.ledger.position()
    for part in ("SAYSO_DATABASE_URL", "sayso migrate --to", "Nothing was changed", "sayso.db"):
        assert part in str(refused.value)
    database = Database(database_url)
    if database_url.startswith("sqlite"):
        assert not Path(database.engine.url.database).exists()
    else:
        assert not inspect(database.engine).get_table_names()
    database.close()


def test_without_the_variable_the_own_database_is_missed(tmp_path: Path, postgres_url: str) -> None:
    """A workspace that began on PostgreSQL refuses to load without the variable, and the warehouse
    stays as it is; no password is shown.
    """
    create(tmp_path / "other")
    with opened(tmp_path / "other", postgres_url) as shop:
        shop.ledger.position()
    with opened(tmp_path / "other") as shop, pytest.raises(WrongDatabase) as refused:
        ingest(shop.workspace, shop.database)
    assert "set SAYSO_DATABASE_URL to that address" in str(refused.value)
    assert not (tmp_path / "other" / "sayso.db").exists()


def test_an_older_workspace_takes_the_database_that_knows_its_customers(
    workspace_folder: Path, tmp_path: Path, database_url: str
) -> None:
    """A workspace from before databases had ids is bound to the one it was used with, and refuses
    one that knows nobody in its warehouse.
    """
    older = shutil.copytree(workspace_folder, tmp_path / "older")
    assert not (older / BINDING).exists()
    other = database_url.replace("sayso.db", "another.db")
    with opened(older, other) as shop, pytest.raises(WrongDatabase, match="knows none of the"):
        shop.ledger.position()
    with opened(older) as shop:
        assert shop.ledger.position() > 0
    assert binding_of(older) is not None


def test_another_shops_database_is_refused(root: Path, tmp_path: Path) -> None:
    """Neither a workspace that has its own nor a new one takes it."""
    create(tmp_path / "new")
    theirs = f"sqlite:///{root / 'sayso.db'}"
    with opened(tmp_path / "new", theirs) as shop, pytest.raises(WrongDatabase, match="another"):
        shop.ledger.position()
    with opened(tmp_path / "new") as shop:
        shop.ledger.position()
    with opened(tmp_path / "new", theirs) as shop, pytest.raises(WrongDatabase, match="another"):
        shop.ledger.position()


def test_an_unreadable_note_is_told(root: Path) -> None:
    """What is no note of a database is not taken for a missing one."""
    (root / BINDING).write_text("{")
    with opened(root) as shop, pytest.raises(WorkspaceError, match=r"cannot be read.*doctor --fix"):
        shop.ledger.position()


# ---- nothing is invented ----


def test_a_missing_master_key_is_never_replaced(root: Path) -> None:
    """Neither a service that runs nor one that starts makes another; once it is back all opens."""
    with opened(root) as shop:
        with shop.database.write() as connection:
            shop.vault.keys_for_sealing(connection, [1])
        (root / "master.keys").rename(root / "aside")
        with shop.database.write() as connection, pytest.raises(MasterKeyMissing, match="No new"):
            shop.vault.keys_for_sealing(connection, [2])
        assert any("master.keys" in told for told in faults(shop.workspace, shop.database))
    with (
        opened(root) as shop,
        shop.database.write() as connection,
        pytest.raises(MasterKeyMissing),
    ):
        shop.vault.key(connection, NOBODY)
    assert not (root / "master.keys").exists()
    (root / "aside").rename(root / "master.keys")
    with opened(root) as shop, shop.database.read() as connection:
        assert set(shop.vault.keys(connection, [1, 2])) == {1}
        assert faults(shop.workspace, shop.database) == []


@pytest.mark.parametrize("name", ["secret", "anchor.key", "sayso.toml", "sayso.db"])
def test_what_is_missing_is_told_and_not_made(root: Path, name: str) -> None:
    """Each part that is gone is named with what to do about it, and stays gone."""
    (root / name).unlink()
    workspace = Workspace.found(root, Settings(workspace=root))
    told = [sentence for sentence in faults(workspace) if name in sentence]
    assert len(told) == 1
    assert "put it back" in told[0]
    with pytest.raises(WorkspaceError):
        Workspace.open(root, Settings()).secret() if name == "secret" else create(root)
    assert not (root / name).exists()


def test_another_master_key_is_told(root: Path, tmp_path: Path) -> None:
    """A key that is there and opens nothing is named by what is missing."""
    create(tmp_path / "other")
    with opened(tmp_path / "other") as shop:
        shop.ledger.position()
    shutil.copy(tmp_path / "other" / "master.keys", root / "master.keys")
    (told,) = faults(Workspace.open(root, Settings()))
    assert "the master key" in told
    assert "is missing" in told


def test_a_ledger_without_its_end_is_told(root: Path) -> None:
    """The head of the ledger says how many events there are."""
    with opened(root) as shop:
        with shop.database.write() as connection:
            connection.exec_driver_sql("UPDATE ledger_head SET seq = 5")
        (told,) = faults(shop.workspace, shop.database)
    assert "ends at event 0, but 5 were written" in told


def test_a_moved_database_says_where_it_went(root: Path) -> None:
    """Whoever opens it hears the new address."""
    with opened(root) as shop, shop.database.write() as connection:
        mark_moved(connection, "db_new", "postgresql://there", utc_now())
    with opened(root) as shop, pytest.raises(DatabaseMoved, match="moved to postgresql://there"):
        shop.ledger.position()
