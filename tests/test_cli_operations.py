"""`sayso backup`, `restore`, `migrate` and `doctor` as an operator calls them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from features.config.environment import Settings
from features.errors import SaysoError
from features.intake.setup.new_workspace import create
from features.shop.shop import Shop
from features.shop.workspace import Workspace
from serving.cli import command_line


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A new workspace that has its database."""
    create(tmp_path / "shop")
    shop = Shop(Workspace.open(tmp_path / "shop", Settings()))
    shop.ledger.position()
    shop.database.close()
    return tmp_path / "shop"


def called(*words: object) -> tuple[dict, BaseException | None]:
    """What a command prints with `--json`, and how it failed."""
    done = CliRunner().invoke(command_line(), [*map(str, words), "--json"])
    failed = None if isinstance(done.exception, SystemExit) else done.exception
    return json.loads(done.stdout) if done.stdout else {}, failed


def test_a_workspace_is_backed_up_put_back_looked_at_and_moved(root: Path, tmp_path: Path) -> None:
    """Each command says as JSON what it did, and the workspace made of the backup is sound."""
    backup, new = tmp_path / "backup.tar.gz", tmp_path / "new"
    made, failed = called("backup", "--out", backup, "--workspace", root)
    assert (failed, made["keys"], made["file"]) == (None, False, str(backup))
    lists = ("--erased", root / "erased.list", "--keys", root)
    done, failed = called("restore", backup, *lists, "--workspace", new)
    assert (failed, done["erased_again"]) == (None, 0)
    assert called("doctor", "--workspace", new) == ({"faults": [], "left": 0}, None)
    there = f"sqlite:///{tmp_path / 'there.db'}"
    moved, failed = called("migrate", "--to", there, "--workspace", new)
    assert (failed, moved["went_to"], moved["finished"]) == (None, there, False)
    assert called("doctor", "--workspace", new) == ({"faults": [], "left": 0}, None)


def test_faults_are_listed_and_the_command_fails(root: Path) -> None:
    """What is left is told, and ends with a failure; what is mended is not."""
    (root / "secret").chmod(0o644)
    found, failed = called("doctor", "--workspace", root)
    assert found["left"] == 1
    assert isinstance(failed, SaysoError)
    found, failed = called("doctor", "--fix", "--workspace", root)
    assert (found["left"], failed) == (0, None)
    assert found["faults"][0]["mended"]
    (root / "anchor.key").unlink()
    found, failed = called("doctor", "--fix", "--workspace", root)
    assert "anchor.key" in found["faults"][0]["fault"]
    assert isinstance(failed, SaysoError)
    assert called("doctor", "--new-anchor-key", "--workspace", root) == (
        {"faults": [], "left": 0},
        None,
    )
