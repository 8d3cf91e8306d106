"""The proof that nothing is lost, nothing is invented and nobody comes back, and that it notices
what it is there for.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import features.shop.binding
import serving.operations.restore
from features.customers.master_keys import MasterKeys
from features.customers.vault import Vault
from serving.proofs.moving.furnished_shop import furnish
from serving.proofs.moving.proof import MOVING
from serving.proofs.moving.putting_back import erase_and_put_back
from serving.proofs.moving.refusing import missing_parts, wrong_databases
from tests.made_once import made_once


def silent(_what: str, _share: float) -> None:
    """Nobody watches."""


@pytest.fixture
def root(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Path:
    """A copy of a workspace with something of every kind in it."""
    made = made_once(tmp_path_factory, "furnished", lambda folder: furnish(folder, silent))
    return Path(shutil.copytree(made / "shop", tmp_path / "shop"))


@pytest.mark.slow
def test_nothing_is_lost_invented_or_brought_back(tmp_path: Path) -> None:
    """On SQLite and PostgreSQL, with a few moves killed on the way."""
    finding = MOVING.run(tmp_path, 0.06, silent)
    assert finding.faults == ()
    assert finding.figures["erased customers found there"] == 0
    assert finding.figures["moves killed with SIGKILL"] == 3


def test_an_erasure_that_is_forgotten_is_found(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A restore that does not erase again whom the list names is told."""
    targets: dict[str, str | None] = {"sqlite": None}
    (tmp_path / "good").mkdir()
    assert erase_and_put_back(root, tmp_path / "good", targets, 1)[1] == []
    monkeypatch.setattr(serving.operations.restore, "named_by", lambda *_: [])
    (tmp_path / "bad").mkdir()
    _, faults = erase_and_put_back(root, tmp_path / "bad", targets, 2)
    assert any("is back" in fault for fault in faults)


def test_a_database_that_is_taken_for_the_own_one_is_found(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A workspace that opens whatever it is pointed at is told, each time."""
    empty = {"that is not there": f"sqlite:///{tmp_path / 'nothing.db'}"}
    (tmp_path / "good").mkdir()
    tried, faults = wrong_databases(root, tmp_path / "good", empty)
    assert (tried, faults) == (4, [])
    for check in ("_require", "_refuse_foreign"):
        monkeypatch.setattr(features.shop.binding, check, lambda *_: None)
    (tmp_path / "bad").mkdir()
    _, faults = wrong_databases(root, tmp_path / "bad", empty)
    assert sum("was not refused" in fault for fault in faults) >= 2


def test_a_key_that_is_made_anew_is_found(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A vault that makes a master key beside sealed data is told."""
    assert missing_parts(root)[1] == []

    def careless(self: Vault, _connection: object) -> object:
        self._masters.make()
        return self._masters.all()[0]

    def eager(self: MasterKeys) -> dict[str, object]:
        self.make()
        return {key.name: key for key in self.all()}

    monkeypatch.setattr(Vault, "_newest", careless)
    monkeypatch.setattr(MasterKeys, "by_name", eager)
    assert any("master.keys" in fault for fault in missing_parts(root)[1])
