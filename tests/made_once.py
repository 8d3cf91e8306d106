"""What takes long to make and nobody changes: made by one worker of a test run, and read by all."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

WORKER = "PYTEST_XDIST_WORKER"


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """The folder that `make` filled for this test run: whichever worker asks first makes it, and
    the others wait for it.

    The lock is the open file's, so it goes with a worker that dies; the next one then begins anew.
    """
    mine = factory.getbasetemp()
    folder = (mine.parent if WORKER in os.environ else mine) / name
    made = folder.with_suffix(".made")
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            made.touch()
    return folder
