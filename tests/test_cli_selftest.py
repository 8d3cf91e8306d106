"""`sayso selftest` says what holds, what does not, and what this machine cannot tell."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from features.progress import Progress
from serving.cli import command_line
from serving.cli.commands import selftest
from serving.cli.commands.selftest import PromiseBroken
from serving.proofs.stage.proof import CannotProve, Finding, Proof


def kept(folder: Path, share: float, _progress: Progress) -> Finding:
    """A promise that holds."""
    return Finding({"share": share, "empty": not list(folder.iterdir())})


def broken(_folder: Path, _share: float, _progress: Progress) -> Finding:
    """A promise that does not."""
    return Finding({"tried": 3}, ("one was lost",))


def untold(_folder: Path, _share: float, _progress: Progress) -> Finding:
    """A promise that cannot be put to the test."""
    raise CannotProve("strace is missing; install it")


@pytest.fixture(autouse=True)
def proofs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three proofs in place of the long ones."""
    made = {run.__name__: Proof(run.__name__, "a promise", run) for run in (kept, broken, untold)}
    monkeypatch.setattr(selftest, "PROOFS", made)


def told(*arguments: str) -> dict:
    """The JSON that the command prints."""
    result = CliRunner().invoke(command_line(), ["selftest", *arguments, "--json"])
    document: dict = json.loads(result.stdout)
    return document


def test_a_promise_that_holds_is_said_with_its_figures():
    """A tenth of the size is the default, `--full` is all of it, and the proof gets an empty
    folder.
    """
    assert told("kept") == {"kept": {"holds": True, "share": 0.1, "empty": True, "faults": []}}
    assert told("kept", "--full")["kept"]["share"] == 1.0


def test_a_broken_promise_fails_the_command():
    """The finding is told, and the command ends with an error that names it."""
    result = CliRunner().invoke(command_line(), ["selftest", "broken", "kept"])
    assert isinstance(result.exception, PromiseBroken)
    assert "broken: one was lost" in str(result.exception)
    assert "holds" in result.stdout


def test_what_cannot_be_told_here_is_said_and_is_no_fault():
    """Without what a proof needs it is said why, the others run on, and the command succeeds."""
    assert told("untold", "kept")["untold"] == {
        "holds": None,
        "not_proved_because": "strace is missing; install it",
    }
    result = CliRunner().invoke(command_line(), ["selftest", "untold"])
    assert result.exit_code == 0
    assert "not put to the test here" in result.stdout


def test_an_unknown_selftest_is_wrong_use():
    """The names that there are, are told."""
    result = CliRunner().invoke(command_line(), ["selftest", "nonsense"])
    assert result.exit_code == 2
    assert "kept, broken, untold" in result.output
