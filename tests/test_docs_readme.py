"""The README names what there is."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from features.config.environment import Settings
from serving.cli import COMMANDS
from serving.http.app import make_app

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_named(command: str) -> None:
    """Every command of the command line stands in the README."""
    assert f"sayso {command}" in README


def test_no_other_command_is_named() -> None:
    """The README names no command that does not exist."""
    named = set(re.findall(r"`sayso ([a-z]+)|^sayso ([a-z]+)", README, flags=re.MULTILINE))
    assert {one or other for one, other in named} <= set(COMMANDS)


@pytest.mark.parametrize("path", list(make_app().openapi()["paths"]))
def test_every_route_is_named(path: str) -> None:
    """Every route of the service stands in the README."""
    assert path in README


@pytest.mark.parametrize("setting", Settings.model_fields)
def test_every_setting_is_named(setting: str) -> None:
    """Every environment variable stands in the README, and no other."""
    assert f"SAYSO_{setting.upper()}" in README
    assert set(re.findall(r"SAYSO_[A-Z_]+", README)) == {
        f"SAYSO_{name.upper()}" for name in Settings.model_fields
    }


def test_the_targets_of_make_are_there() -> None:
    """What the README has one make is a target of the Makefile."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"^(?:`)?make ([a-z]+)|`make ([a-z]+)`", README, flags=re.MULTILINE)
    assert targets
    for one, other in targets:
        assert re.search(rf"^{one or other}:", makefile, flags=re.MULTILINE)


def test_the_linked_files_are_there() -> None:
    """Every relative link of the README leads somewhere."""
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target


def test_the_lock_holds_no_address() -> None:
    """The lock names packages and digests, and no index."""
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert "://" not in lock
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for requirement in project["dependencies"]:
        name = re.match(r"[A-Za-z0-9_.-]+", requirement)
        assert name is not None
        assert re.search(
            rf"^{re.escape(name.group())}==", lock, flags=re.MULTILINE | re.IGNORECASE
        ), requirement
