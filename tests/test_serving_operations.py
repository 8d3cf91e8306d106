"""Moving a workspace, backing it up, putting it back, mending it."""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import inspect

import serving.operations.moving
from features.clock import utc_now
from features.config.environment import Settings
from features.consent.ledger import ConsentEvent
from features.consent.verification import verify_ledger
from features.customers.vault import Vault
from features.database.copying import CopyFailed
from features.database.engine import Database
from features.database.identity import Identity, empty_moved
from features.errors import SaysoError
from features.intake.setup.new_workspace import create
from features.shop.binding import DatabaseMoved, binding_of
from features.shop.shop import Shop
from features.shop.workspace import BINDING, Workspace
from serving.delivery.opt_outs import OptOuts
from serving.operations.archive import MANIFEST, BackupBroken
from serving.operations.backup import back_up
from serving.operations.doctor import Doctor
from serving.operations.later_choices import LaterChoices
from serving.operations.moving import MoveRefused, fill, migrate, prepare_empty
from serving.operations.restore import RestoreRefused, Restoring
from serving.proofs.moving.furnished_shop import IDS, content_of, furnish, shop_in, workspace_of
from serving.proofs.moving.there_and_back import there_and_back
from serving.proofs.stage.postgres import postgres_server
from serving.rights.rights import Rights
from tests.made_once import made_once

pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with something of every kind in it."""
    made = made_once(tmp_path_factory, "furnished", lambda folder: furnish(folder, lambda *_: None))
    return made / "shop"


@pytest.fixture
def root(furnished: Path, tmp_path: Path) -> Path:
    """A copy of it for one test to change."""
    return Path(shutil.copytree(furnished, tmp_path / "shop"))


def interrupting(at: str) -> Callable[[str, float], None]:
    """Progress that ends the process when a step whose name begins so is reached."""

    def report(what: str, _share: float) -> None:
        if what.startswith(at):
            raise KeyboardInterrupt

    return report


@contextmanager
def silently(*kinds: type[BaseException]) -> Iterator[None]:
    """What an interruption raises is expected."""
    with pytest.raises(kinds):
        yield


def test_everything_moves_and_the_old_one_is_closed(root: Path, postgres_url: str) -> None:
    """Every row of every table arrives, chains hold, and the old database refuses all changes."""
    with shop_in(root) as shop:
        before, old = content_of(shop), shop.database.url
    moved = migrate(workspace_of(root), postgres_url)
    assert moved.verified is not None
    assert moved.verified.rows == {name: table.rows for name, table in before.items()}
    assert moved.verified.kept_out == moved.verified.erasures == 3
    with shop_in(root) as shop:
        assert shop.database.engine.dialect.name == "postgresql"
        assert content_of(shop) == before
    with shop_in(root, old) as shop, pytest.raises(DatabaseMoved):
        shop.ledger.position()


@pytest.mark.parametrize("at", ["copying consent events", "copying suppressed", "checking"])
def test_an_interrupted_move_changes_nothing(root: Path, tmp_path: Path, at: str) -> None:
    """Until all is copied and checked the old database is in use, and the move can be repeated to
    the same place.
    """
    target = f"sqlite:///{tmp_path / 'new.db'}"
    with shop_in(root) as shop:
        before, old = content_of(shop), shop.database.url
    bound = binding_of(root)
    with silently(KeyboardInterrupt):
        migrate(workspace_of(root), target, interrupting(at))
    assert binding_of(root) == bound
    with shop_in(root) as shop:
        assert shop.database.url == old
        assert content_of(shop) == before
    migrate(workspace_of(root), target)
    with shop_in(root) as shop:
        assert (shop.database.url, content_of(shop)) == (target, before)


def test_a_move_that_was_cut_off_is_done_again(root: Path, tmp_path: Path) -> None:
    """Where all was copied and the old one not closed, the copy is made anew; where it was closed
    and the workspace not told, it is told.
    """
    target = f"sqlite:///{tmp_path / 'new.db'}"
    bound = binding_of(root)
    assert bound is not None
    half = Database(target)
    prepare_empty(half)
    with shop_in(root) as shop, shop.database.read() as connection:
        identity = Identity("db_half", bound.id, None, None)
        vault = Vault(half, shop.workspace.master_keys)
        fill(connection, half, identity, vault, lambda *_: None, utc_now)
    half.close()
    with shop_in(root, target) as shop, pytest.raises(SaysoError, match="not finished"):
        shop.ledger.position()
    moved = migrate(workspace_of(root), target)
    assert not moved.finished
    told = (root / BINDING).read_text()
    (root / BINDING).write_text(
        told.replace(binding_of(root).id, bound.id).replace("new.db", "sayso.db")
    )
    with shop_in(root, f"sqlite:///{root / 'sayso.db'}") as shop, silently(DatabaseMoved):
        shop.ledger.position()
    assert migrate(workspace_of(root, f"sqlite:///{root / 'sayso.db'}"), target).finished
    with shop_in(root) as shop:
        assert shop.database.url == target


def test_a_move_to_what_holds_something_is_refused(root: Path, tmp_path: Path) -> None:
    """Neither another database's content nor the own one's is written over, and what cannot be
    reached is told without a password.
    """
    with shop_in(root) as shop:
        own = shop.database.url
    other = f"sqlite:///{shutil.copy(root / 'sayso.db', tmp_path / 'other.db')}"
    with pytest.raises(MoveRefused, match="database already"):
        migrate(workspace_of(root), own)
    with pytest.raises(MoveRefused):
        migrate(workspace_of(root), other)
    for url in ("postgresql+psycopg://u:hidden@127.0.0.1:1/x", "mysql://u:hidden@h/x", "nonsense"):
        with pytest.raises(MoveRefused) as refused:
            migrate(workspace_of(root), url)
        assert "hidden" not in str(refused.value)


def test_a_table_that_nobody_knows_is_not_left_behind(root: Path, tmp_path: Path) -> None:
    """A database that holds more than this version knows is not moved."""
    with shop_in(root) as shop, shop.database.write() as connection:
        connection.exec_driver_sql("CREATE TABLE notes (text TEXT)")
    with pytest.raises(CopyFailed, match="'notes'"):
        migrate(workspace_of(root), f"sqlite:///{tmp_path / 'new.db'}")


@pytest.mark.slow
def test_an_old_database_that_stays_open_is_found(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proof notices a move that does not close the old database."""
    monkeypatch.setattr(serving.operations.moving, "mark_moved", lambda *_: None)
    with postgres_server(durable=False) as server:
        _, _, faults = there_and_back(root, server)
    assert "the old database can still be written" in faults


def traces_of(root: Path, text: str) -> list[str]:
    """Files of the old database whose bytes hold a text."""
    return [file.name for file in root.glob("sayso.db*") if text.encode() in file.read_bytes()]


def test_the_old_one_is_emptied_when_that_is_asked_for(root: Path, tmp_path: Path) -> None:
    """Once the new one is checked, nothing of anybody is left in the old file, which still says
    where it was moved to.
    """
    target = f"sqlite:///{tmp_path / 'new.db'}"
    with shop_in(root) as shop:
        before, old = content_of(shop), shop.database.url
    assert traces_of(root, IDS[20])
    assert migrate(workspace_of(root), target, clear_old=True).cleared
    assert traces_of(root, IDS[20]) == []
    with shop_in(root) as shop:
        assert content_of(shop) == before
    with shop_in(root, old) as shop, pytest.raises(DatabaseMoved, match=r"new\.db"):
        shop.ledger.position()


def test_what_an_earlier_move_left_is_emptied_later(root: Path, tmp_path: Path) -> None:
    """The same call with the same address empties the old file, and nothing but that."""
    target = f"sqlite:///{tmp_path / 'new.db'}"
    assert not migrate(workspace_of(root), target).cleared
    assert traces_of(root, IDS[20])
    with shop_in(root) as shop:
        before = content_of(shop)
    again = migrate(workspace_of(root), target, clear_old=True)
    assert (again.cleared, again.finished) == (True, True)
    assert traces_of(root, IDS[20]) == []
    with shop_in(root) as shop:
        assert content_of(shop) == before
    with pytest.raises(MoveRefused, match="database already"):
        migrate(workspace_of(root), target)


def test_a_database_that_was_never_moved_is_not_emptied(root: Path) -> None:
    """The workspace's own database keeps all it holds, whatever is asked."""
    with shop_in(root) as shop:
        before, own = content_of(shop), shop.database.url
    with pytest.raises(MoveRefused, match="database already"):
        migrate(workspace_of(root), own, clear_old=True)
    with shop_in(root) as shop:
        assert not empty_moved(shop.database)
        assert content_of(shop) == before


@pytest.mark.slow
def test_an_old_postgresql_is_emptied_too(root: Path, tmp_path: Path, postgres_url: str) -> None:
    """On the way back from PostgreSQL nothing is left there but where it was moved to."""
    migrate(workspace_of(root), postgres_url)
    back = f"sqlite:///{tmp_path / 'back.db'}"
    assert migrate(workspace_of(root), back, clear_old=True).cleared
    left = Database(postgres_url)
    with left.read() as connection:
        assert inspect(connection).get_table_names() == ["database_identity"]
    left.close()


# ---- backups ----


@pytest.mark.parametrize("name", ["backup.tar.gz", "backup.tar", "backup"])
def test_a_backup_comes_back_as_it_was(root: Path, tmp_path: Path, name: str) -> None:
    """Archive or folder: all rows, the warehouse, the models and, where they were asked for, the
    keys.
    """
    with shop_in(root) as shop:
        before, rows = content_of(shop), shop.warehouse.generation
        made = back_up(shop, tmp_path / name, with_keys=True)
        with pytest.raises(BackupBroken, match="there already"):
            back_up(shop, tmp_path / name)
    assert made.kept_out == 3
    assert not (tmp_path / name).stat().st_mode & 0o077
    new = tmp_path / "new"
    restored = Restoring(tmp_path / name, new, Settings(workspace=new), nobody_erased=True).run()
    assert (restored.erased_again, restored.kept_out) == (0, 3)
    with shop_in(new) as shop:
        assert content_of(shop) == before
        assert shop.warehouse.generation == rows
    for kept in ("secret", "data_health.jsonl"):
        assert (new / kept).read_text() == (root / kept).read_text()
    assert Doctor(workspace_of(new)).look() == []


def test_a_backup_without_keys_holds_none(root: Path, tmp_path: Path) -> None:
    """Neither master key nor secret is in it unless asked for."""
    with shop_in(root) as shop:
        back_up(shop, tmp_path / "backup.tar")
    content = (tmp_path / "backup.tar").read_bytes()
    for name in ("master.keys", "secret", "anchor.key"):
        assert (root / name).read_bytes().strip() not in content
    with tarfile.open(tmp_path / "backup.tar") as archive:
        assert not any("keys/" in one for one in archive.getnames())


def test_whoever_was_erased_since_stays_erased(root: Path, tmp_path: Path) -> None:
    """A customer of the backup who is on the newer list is erased before the workspace can be used,
    and everybody on the list is kept out.
    """
    with shop_in(root) as shop:
        back_up(shop, tmp_path / "backup.tar")
        number = shop.customers.pseudonym(IDS[20])
        Rights(shop).erase(IDS[20])
    new = tmp_path / "new"
    restoring = Restoring(
        tmp_path / "backup.tar", new, Settings(workspace=new), root / "erased.list", keys=root
    )
    restored = restoring.run()
    assert (restored.erased_again, restored.kept_out) == (1, 4)
    with shop_in(new) as shop:
        assert shop.customers.find(IDS[20]) is None
        assert shop.customers.erased([IDS[20]]) == {IDS[20]}
        assert shop.warehouse.count(number) == 0
        assert shop.customers.find(IDS[21]) is not None


def test_what_was_chosen_after_the_backup_is_taken_over(root: Path, tmp_path: Path) -> None:
    """Withdrawals, opt-outs and new customers' consents of after a backup are in what is restored
    from it where the old database can be read; its chain goes on, and nobody's erasure is undone.
    """
    with shop_in(root) as shop:
        back_up(shop, tmp_path / "backup.tar")
        position = shop.ledger.position()
        said = {"purpose": "recommendations", "category": "purchases", "method": "web_form"}
        shop.ledger.append(ConsentEvent(IDS[20], action="withdrawn", **said))
        granted = {**said, "action": "granted", "notice_version": "1", "evidence": "a form"}
        shop.ledger.append(ConsentEvent("newcomer", **granted))
        opted = OptOuts(shop.database).add(shop.customers.pseudonym(IDS[21]), "all", None, None)
        Rights(shop).erase(IDS[22])
        events = shop.ledger.position()
        withdrawn = shop.ledger.state(shop.customers.pseudonym(IDS[20]))
    new, url = tmp_path / "new", f"sqlite:///{root / 'sayso.db'}"
    parts = (tmp_path / "backup.tar", new, Settings(workspace=new), root / "erased.list")
    restored = Restoring(*parts, keys=root, consents_from=url).run()
    assert restored.later == LaterChoices(events - position, 1)
    with shop_in(new) as shop:
        assert verify_ledger(shop.database, shop.config.catalog) >= events
        assert shop.ledger.state(shop.customers.pseudonym(IDS[20])) == withdrawn
        assert shop.customers.find("newcomer") is not None
        theirs = OptOuts(shop.database).of(shop.customers.pseudonym(IDS[21]))
        assert opted.id in [one.id for one in theirs]
        assert shop.customers.find(IDS[22]) is None


def test_another_ledger_is_not_taken_over(root: Path, tmp_path: Path) -> None:
    """What does not go on where the backup ends is refused, and nothing is made."""
    with shop_in(root) as shop:
        back_up(shop, tmp_path / "backup.tar")
    create(tmp_path / "other")
    with shop_in(tmp_path / "other") as shop:
        shop.ledger.position()
        other = shop.database.url
    new = tmp_path / "new"
    parts = (tmp_path / "backup.tar", new, Settings(workspace=new), root / "erased.list")
    for url in (other, f"sqlite:///{tmp_path / 'nothing.db'}"):
        with pytest.raises(SaysoError):
            Restoring(*parts, keys=root, consents_from=url).run()
        assert not new.exists()


def test_nothing_is_restored_on_a_guess(root: Path, tmp_path: Path) -> None:
    """Without a list of the erased, with an old one, without keys, or from a changed backup nothing
    is made.
    """
    with shop_in(root) as shop:
        back_up(shop, tmp_path / "backup")
    new, newest = tmp_path / "new", root / "erased.list"
    old = tmp_path / "old.list"
    old.write_text("")
    settings, backup = Settings(workspace=new), tmp_path / "backup"
    with pytest.raises(RestoreRefused, match="--nobody-erased-since"):
        Restoring(backup, new, settings, keys=root).run()
    with pytest.raises(RestoreRefused, match="older than the backup"):
        Restoring(backup, new, settings, old, keys=root).run()
    with pytest.raises(RestoreRefused, match=r"master.keys, secret, anchor.key are not in"):
        Restoring(backup, new, settings, newest).run()
    (backup / "sayso.toml").write_text("changed")
    with pytest.raises(BackupBroken, match=r"sayso\.toml of the backup"):
        Restoring(backup, new, settings, newest, keys=root).run()
    (backup / MANIFEST).unlink()
    with pytest.raises(BackupBroken, match="is no backup"):
        Restoring(backup, new, settings, newest, keys=root).run()
    assert not new.exists()


# ---- the doctor ----


def test_the_doctor_mends_what_is_safe_and_names_the_rest(root: Path) -> None:
    """Open files are closed, the note of the database comes back where the keys prove it, halves
    go; a missing model stays a fault.
    """
    (root / "master.keys").chmod(0o644)
    (root / BINDING).unlink()
    (root / "models" / "churn" / "9.partial").mkdir()
    (root / "erased.list").write_text("")
    shutil.rmtree(root / "models" / "churn" / "1")
    workspace = workspace_of(root)
    first = Doctor(workspace).look()
    assert not any(one.mended for one in first)
    mended = Doctor(workspace, fix=True).look()
    told = " ".join(one.fault for one in mended if one.mended)
    for part in ("master.keys", BINDING, "9.partial", "lacks 3 of the erased"):
        assert part in told
    (left,) = Doctor(workspace).look()
    assert "`churn` version 1" in left.fault
    assert not left.mendable


def test_the_doctor_makes_no_key_unless_told_to(root: Path) -> None:
    """A lost secret is named, and another is made when it is asked for by name."""
    (root / "secret").unlink()
    workspace = workspace_of(root)
    assert any("secret" in one.fault for one in Doctor(workspace, fix=True).look())
    assert not (root / "secret").exists()
    assert Doctor(workspace, new_secret=True).look() == []
    assert len(workspace.secret()) >= 43


def test_the_doctor_looks_at_what_lost_its_catalog(root: Path) -> None:
    """A workspace without sayso.toml is told so, and not taken for none."""
    (root / "sayso.toml").unlink()
    found = Doctor(Workspace.found(root, Settings(workspace=root))).look()
    assert any("sayso.toml is missing" in one.fault for one in found)
    with pytest.raises(SaysoError, match="missing beside this workspace's data"):
        Shop(Workspace.open(root))
