"""A champion answers only while everything that it rests on can be vouched for."""

from __future__ import annotations

import socket
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from features.database.engine import Database
from features.errors import ModelUnavailable
from features.intake.setup.new_workspace import create
from features.shop.workspace import Workspace
from models.artifact_digest import require_sealed, seal
from models.registry import Version
from models.tracking import Tracking
from serving.live.champions import Champion
from serving.live.config_watch import CatalogWatch


class Registry:
    """A registry with one champion, whose files lie in a folder."""

    def __init__(self, files: Path) -> None:
        self.files = files
        self.champion: Version | None = Version(
            "m", "1", "run", datetime(2026, 1, 1, tzinfo=UTC), {}, {}
        )
        self.down = False
        self.sealed = seal(files)

    def by_alias(self, _model: str, _alias: str) -> Version | None:
        """The champion."""
        if self.down:
            raise ModelUnavailable("the registry is down")
        return self.champion

    def version(self, _model: str, _version: str) -> Version:
        """The only version there is."""
        assert self.champion is not None
        return self.champion

    def folder(self, _version: Version) -> Path:
        """The model's files, checked."""
        require_sealed(self.files, self.sealed)
        return self.files


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """A registry with one champion."""
    (tmp_path / "model.txt").write_text("a model")
    return Registry(tmp_path)


@pytest.fixture
def allowed() -> list[bool]:
    """Whether the catalog lets a model answer, to be changed by a test."""
    return [True]


@pytest.fixture
def champion(registry: Registry, allowed: list[bool]) -> Champion[str]:
    """The champion, taken up."""
    made = Champion(
        registry,
        "m",
        lambda folder: (folder / "model.txt").read_text(),
        lambda _model: None,
        lambda: allowed[0],
    )
    made.look()
    assert made.current is not None
    return made


def test_a_changed_file_ends_it_at_once_and_a_mended_one_brings_it_back(champion, registry):
    """With the very next answer a model whose files were changed is no model; mended, it answers
    after the next look.
    """
    file = registry.files / "model.txt"
    file.write_text("a mod")
    assert champion.current is None
    champion.look()
    assert champion.current is None
    file.write_text("a model")
    champion.look()
    assert champion.current.model == "a model"


def test_a_registry_that_cannot_be_asked_ends_it(champion, registry):
    """Where nobody can say who is champion nobody is."""
    registry.down = True
    champion.look()
    assert champion.current is None
    registry.down = False
    champion.look()
    assert champion.current is not None


def test_a_champion_that_was_deposed_answers_no_more(champion, registry):
    """Where the registry has no champion any more the one before does not go on."""
    registry.champion = None
    champion.look()
    assert champion.current is None


def test_an_unreadable_catalog_ends_it_at_once(champion, allowed):
    """Where the catalog cannot be followed no model answers, and as soon as it can be, it does."""
    allowed[0] = False
    assert champion.current is None
    allowed[0] = True
    assert champion.current is not None


@pytest.mark.parametrize("spoilt", [b"[shop", b"\xff", b"", b"[purposes]\n"])
def test_a_spoilt_catalog_is_noticed_and_so_is_its_repair(tmp_path, spoilt):
    """Whatever is wrong with `sayso.toml`, it cannot be followed until it is put right."""
    create(tmp_path / "shop")
    watch = CatalogWatch(Workspace.open(tmp_path / "shop"))
    file = tmp_path / "shop" / "sayso.toml"
    whole = file.read_bytes()
    assert watch.holds()
    file.write_bytes(spoilt)
    assert not watch.holds()
    file.unlink()
    assert not watch.holds()
    file.write_bytes(whole)
    assert watch.holds()


def test_a_changed_catalog_that_can_be_followed_is_no_fault(tmp_path, caplog):
    """A valid change leaves the service answering by what it was started with, and says that a
    restart is needed.
    """
    create(tmp_path / "shop")
    watch = CatalogWatch(Workspace.open(tmp_path / "shop"))
    file = tmp_path / "shop" / "sayso.toml"
    file.write_text(file.read_text().replace('name = "shop"', 'name = "Another"'))
    assert watch.holds()
    assert "restart" in caplog.text


def test_a_tracking_server_that_is_down_is_noticed_within_seconds(tmp_path, monkeypatch):
    """A workspace of before asks its tracking server for the champion; where nobody runs one, that
    is an error soon, and not the absence of a champion.
    """
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    database = Database.open(f"sqlite:///{tmp_path / 'sayso.db'}")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens there
        uri = f"http://127.0.0.1:{taken.getsockname()[1]}"
        began = time.monotonic()
        with pytest.raises(ModelUnavailable, match="MLflow cannot"):
            Tracking(uri, tmp_path, database, tmp_path / "models").adopt()
    assert time.monotonic() - began < 15
