"""`sayso build` takes the program and its lock, and nothing of a shop; what it builds runs."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

import serving.server
from features.progress import silent
from features.shop.shop import Shop
from features.shop.workspace import Workspace
from serving.access.api_keys import Keys
from serving.access.signed_links import Links
from serving.operations import packaging
from serving.operations.packaging import BuildFailed, build, gather
from serving.server import environment, free_port, running
from tests.serving_shop import CATEGORIES, Client, copied, sharing

pytest_plugins = ["tests.serving_fixtures"]

ROOT = Path(__file__).parent.parent


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A checkout of two lines in which somebody keeps a workspace, keys and an environment."""
    made = tmp_path / "checkout"
    for package in packaging.PACKAGES:
        (made / package).mkdir(parents=True)
        (made / package / "code.py").write_text("ONE = 1\n")
    for file in (packaging.LOCK, packaging.PROJECT, "README.md", "master.keys", "orders.csv"):
        (made / file).write_text("something\n")
    for file in (
        *("workspace/secret", ".venv/lib/serving/code.py", ".git/config"),
        *("tests/test_code.py", "serving/__pycache__/code.pyc", "serving/.env"),
    ):
        (made / file).parent.mkdir(parents=True, exist_ok=True)
        (made / file).write_text("private\n")
    return made


def files_in(folder: Path) -> set[str]:
    """Every file of a folder by its path."""
    return {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}


def test_only_the_program_is_taken(project: Path, tmp_path: Path) -> None:
    """Of a folder that holds much else, the packages, the lock and the project's own file go in."""
    gather(project, tmp_path / "stage")
    taken = files_in(tmp_path / "stage")
    ours = {file for file in taken if ".dist-info/" not in file}
    assert ours == {
        *(f"{package}/code.py" for package in packaging.PACKAGES),
        *(packaging.LOCK, packaging.PROJECT, packaging.BENTOFILE, packaging.PROGRAM),
    }
    assert len(taken - ours) == 2


def test_nothing_is_built_from_another_folder(tmp_path: Path) -> None:
    """A folder without the lock is no checkout, and it is said what it lacks."""
    with pytest.raises(BuildFailed, match=r"requirements\.lock"):
        gather(tmp_path, tmp_path / "stage")
    assert not (tmp_path / "stage").exists()


def test_nothing_is_written_over(project: Path) -> None:
    """A folder that holds something is left as it is."""
    before = files_in(project)
    with pytest.raises(BuildFailed, match="is there already"):
        build(project, ROOT, silent)
    assert files_in(project) == before


def test_the_container_file_installs_the_lock_and_runs_as_nobody_special() -> None:
    """It takes hashes seriously, needs no root, and keeps the workspace outside of the image."""
    steps = packaging.CONTAINER.splitlines()
    assert any("--require-hashes" in step for step in steps)
    assert steps.index(f"USER {packaging.NAME}") < steps.index("VOLUME /workspace")
    assert not any("SECRET" in step or "KEY" in step for step in steps)


@pytest.fixture(scope="module")
def bento(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Bento of this checkout, whose code was given a sentence to be told by."""
    out = tmp_path_factory.mktemp("built") / "bento"
    build(out, ROOT, silent)
    app = out / "src/serving/http/app.py"
    app.write_text(app.read_text().replace('DESCRIPTION = """', 'DESCRIPTION = """From the Bento.'))
    return out


@pytest.fixture(scope="module")
def workspace(
    trained_root: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Workspace, str]:
    """A workspace with models, and a key for it."""
    shop = Shop(Workspace.open(copied(trained_root, tmp_path_factory.mktemp("kept") / "shop")))
    _, secret = Keys(shop.database).create(["all"])
    shop.database.close()
    return shop.workspace, secret


@pytest.mark.slow
def test_a_bento_holds_the_program_and_its_lock(bento: Path) -> None:
    """Every package of the lock is asked for in its version, and no file is of a shop."""
    pinned = re.compile(r"^([\w.-]+==[\w.]+)", re.MULTILINE)
    asked = pinned.findall((bento / "env/python/requirements.txt").read_text())
    assert set(pinned.findall((ROOT / packaging.LOCK).read_text())) <= set(asked)
    roots = {file.split("/")[0] for file in files_in(bento / "src")}
    expected = {*packaging.PACKAGES, packaging.LOCK, packaging.PROJECT}
    assert {root for root in roots if ".dist-info" not in root} == expected | {
        *(packaging.BENTOFILE, packaging.PROGRAM)
    }
    assert not [file for file in files_in(bento) if file.endswith((".keys", ".sqlite", ".key"))]


@pytest.mark.slow
def test_a_bento_answers(
    bento: Path,
    workspace: tuple[Workspace, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Started by BentoML from its folder, it answers from a workspace with its own code."""
    opened, secret = workspace
    monkeypatch.setattr(
        serving.server, "READY_WITHIN_SECONDS", 240.0
    )  # it compiles its loops first
    with running(opened, free_port(), tmp_path / "log", service=str(bento)) as url:
        told = httpx.get(f"{url}/docs.json").json()
        client = Client(url, secret, Links(opened.secret(), url))
        answer = client.recommend(sharing(*CATEGORIES)[0])
        client.http.close()
    assert told["info"]["description"].startswith("From the Bento.")
    assert answer["personalized"] is True


@pytest.mark.slow
def test_its_own_program_serves_it(
    bento: Path, workspace: tuple[Workspace, str], tmp_path: Path
) -> None:
    """`src/sayso`, which a container runs, serves the Bento's code from wherever it is called."""
    opened, _ = workspace
    port = free_port()
    program = [sys.executable, str(bento / "src/sayso"), "serve", "--port", str(port)]
    with (
        (tmp_path / "log").open("wb") as log,
        subprocess.Popen(  # noqa: S603 - our own command
            program, cwd=tmp_path, env=environment(opened, port), stdout=log, stderr=log
        ) as served,
    ):
        try:
            told = _answered(f"http://127.0.0.1:{port}/docs.json", served)
        finally:
            served.terminate()
    assert told["info"]["description"].startswith("From the Bento.")


def _answered(url: str, served: subprocess.Popen[bytes]) -> dict[str, Any]:
    """What is answered at an address, once anything is."""
    for _ in range(480):
        assert served.poll() is None, "it stopped"
        try:
            return dict(httpx.get(url).raise_for_status().json())
        except httpx.HTTPError:
            time.sleep(0.5)
    raise AssertionError("it was not ready within four minutes")
