"""A third model costs one file: nothing else is changed, and every command knows it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.serving_shop import make_shop

NAME = "churn_by_recency"
TASK = Path(__file__).with_name(f"{NAME}_task.py")
WITH_FOLDER = """
import sys
from experiments.training import tasks
tasks.__path__.append(sys.argv.pop(1))
from serving.cli import main
sys.exit(main())
"""
"""The command line, with one more folder in which tasks are looked for."""


pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds the file of the task and nothing else."""
    made = tmp_path_factory.mktemp("tasks")
    shutil.copy(TASK, made / f"{NAME}.py")
    return made


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace without models."""
    return make_shop(tmp_path_factory.mktemp("third"))


def sayso(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command where the folder's tasks are known."""
    return subprocess.run(  # noqa: S603 - our own command line
        [sys.executable, "-c", WITH_FOLDER, str(folder), *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[1],
    )


def told(done: subprocess.CompletedProcess[str]) -> Any:
    """What a command printed as JSON."""
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_one_file_is_trained_registered_judged_and_shown(folder: Path, root: Path) -> None:
    """`train` registers it with its baseline and card, `models status` shows it with who it learnt
    from, and `promote` puts it before every gate.
    """
    where = ("--workspace", str(root))
    trained = told(sayso(folder, "train", NAME, "--json", *where))
    assert set(trained["methods"]) == {"sayso", "recency"}
    (shown,) = told(sayso(folder, "models", "status", "--json", *where))["versions"]
    assert (shown["model"], shown["version"]) == (NAME, trained["version"])
    assert shown["aliases"] == ["challenger"]
    assert shown["customers"] > 50
    promoted = sayso(folder, "promote", NAME, "--override", "a test", "--json", *where)
    assert set(told(promoted)["gates"]) >= {"better_than_baselines", "calibrated", "explainable"}
    (card,) = (root / "mlartifacts" / NAME).rglob("model_card.md")
    assert "see who has been away for long" in card.read_text(encoding="utf-8")


def test_without_the_file_there_is_no_such_model(root: Path, tmp_path: Path) -> None:
    """The name is refused, with those that there are."""
    done = sayso(tmp_path, "train", NAME, "--workspace", str(root))
    assert done.returncode == 2
    assert "churn" in done.stderr
    assert "next_purchase" in done.stderr


def test_groups_are_weighed_only_where_the_task_says_so(folder: Path, root: Path) -> None:
    """`--mitigate` is refused with the models that it is for."""
    done = sayso(folder, "train", NAME, "--mitigate", "--workspace", str(root))
    assert done.returncode == 2
    assert "groups are weighed for churn only" in " ".join(done.stderr.split())
