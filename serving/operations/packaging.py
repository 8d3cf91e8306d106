"""`sayso build`: the program as a Bento, with its lock and a container file, to be taken to another
machine. Nothing of a shop is in it: no workspace, no data, no key.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path
from tempfile import TemporaryDirectory

from features.errors import SaysoError
from features.progress import Progress
from serving.server import SERVICE

NAME = "sayso"
PACKAGES = ("features", "models", "explain", "experiments", "serving")
LOCK, PROJECT = "requirements.lock", "pyproject.toml"
CONTAINER_FILE, PROGRAM, BENTOFILE = "Containerfile", "sayso", "bentofile.yaml"
SOURCES = "src"
"""The folder of a Bento that holds the code."""
LEFT_BEHIND = shutil.ignore_patterns("__pycache__", "*.pyc", ".*")
PYTHON = "3.11"
"""Of the container: the oldest that the lock is for."""
BENTO = f"""\
service: {SERVICE}
name: {NAME}
description: Explained recommendations and churn estimates from consented data.
include: ["*"]
python:
  requirements_txt: {LOCK}
  lock_packages: false  # it is locked
docker:
  python_version: "{PYTHON}"
"""
ENTRY = """\
#!/usr/bin/env python3
\"\"\"The command line, of the code beside this file, also for the processes that it starts.\"\"\"

import os
from pathlib import Path

os.environ["PYTHONPATH"] = str(Path(__file__).resolve().parent)

from serving.cli import main

main()
"""
CONTAINER = f"""\
# Sayso in a container: the workspace is the volume /workspace; nothing of a shop is in the image.
FROM docker.io/library/python:{PYTHON}-slim
RUN apt-get update && apt-get install --yes --no-install-recommends libgomp1 \\
 && rm -rf /var/lib/apt/lists/*
RUN useradd --system --uid 10001 --create-home {NAME} \\
 && install --directory --owner {NAME} /workspace
WORKDIR /opt/{NAME}
COPY {SOURCES}/{LOCK} ./
RUN python -m pip install --no-cache-dir --require-hashes --requirement {LOCK}
COPY {SOURCES}/ ./
RUN python -m compileall -q .
ENV PATH=/opt/{NAME}:$PATH PYTHONUNBUFFERED=1
ENV SAYSO_WORKSPACE=/workspace SAYSO_HOST=0.0.0.0
USER {NAME}
VOLUME /workspace
EXPOSE 3000
ENTRYPOINT ["{PROGRAM}"]
CMD ["serve"]
"""


class BuildFailed(SaysoError):
    """The Bento could not be built."""


@dataclass(frozen=True)
class Built:
    """A Bento: its folder, its name and version, the bytes of its files, and its container file."""

    folder: str
    tag: str
    bytes: int
    container_file: str


def build(out: Path, project: Path, progress: Progress) -> Built:
    """Build the Bento of the code in the folder `project` at `out`, which must not be there yet or
    be empty.

    Raises `BuildFailed`; nothing is left at `out` then.
    """
    _require_room(out)
    with TemporaryDirectory(prefix="sayso-build-") as made:
        stage, home = Path(made) / "stage", Path(made) / "bentoml"
        progress("gathering the code", 0.0)
        gather(project, stage)
        version = distribution(NAME).version
        progress("building the Bento", 0.2)
        _run_bentoml(stage, home, version)
        bento = home / "bentos" / NAME / version
        (bento / CONTAINER_FILE).write_text(CONTAINER, encoding="utf-8")
        progress("writing it", 0.9)
        out.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(bento, out, dirs_exist_ok=True)
        out.chmod(0o755)
    size = sum(file.stat().st_size for file in out.rglob("*") if file.is_file())
    return Built(str(out), f"{NAME}:{version}", size, str(out / CONTAINER_FILE))


def gather(project: Path, stage: Path) -> None:
    """Copy what the program is made of, and nothing else, from `project` to `stage`.

    Raises `BuildFailed` where `project` is not the project's own folder.
    """
    if missing := [part for part in (*PACKAGES, LOCK, PROJECT) if not (project / part).exists()]:
        raise BuildFailed(
            f"{project} has no {', '.join(missing)}, so nothing can be built from it; run `sayso"
            " build` of an environment that was installed from a checkout"
        )
    stage.mkdir(parents=True)
    for package in PACKAGES:
        shutil.copytree(project / package, stage / package, ignore=LEFT_BEHIND)
    for file in (LOCK, PROJECT):
        shutil.copy(project / file, stage / file)
    (stage / BENTOFILE).write_text(BENTO, encoding="utf-8")
    program = stage / PROGRAM
    program.write_text(ENTRY, encoding="utf-8")
    program.chmod(0o755)
    _copy_metadata(stage, ("METADATA", "entry_points.txt"))


def _copy_metadata(stage: Path, names: Iterable[str]) -> None:
    """So that the code knows its version where it was not installed, but lies in a folder."""
    installed = distribution(NAME)
    folder = stage / f"{NAME}-{installed.version}.dist-info"
    folder.mkdir()
    for name in names:
        (folder / name).write_text(installed.read_text(name) or "", encoding="utf-8")


def _require_room(out: Path) -> None:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise BuildFailed(f"{out} is there already; name a folder that is not, or is empty")


def _run_bentoml(stage: Path, home: Path, version: str) -> None:
    command = [sys.executable, "-m", "bentoml", "build", "--version", version, "-o", "tag"]
    done = subprocess.run(  # noqa: S603 - our own command
        [*command, "-f", str(stage / BENTOFILE), str(stage)],
        cwd=stage,
        env=os.environ | {"BENTOML_HOME": str(home), "BENTOML_DO_NOT_TRACK": "True"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        lines = (done.stderr or done.stdout).strip().splitlines()
        told = lines[-1] if lines else f"it ended with {done.returncode}"
        raise BuildFailed(f"BentoML could not build it: {told}")
