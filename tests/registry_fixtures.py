"""Registries of models, each a copy of an empty one: MLflow takes a second to make its tables."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from models.tracking import Run, Tracking, Version
from tests.made_once import made_once

STORE = "mlflow.db"


class Unillustrated(Tracking):
    """A registry that draws no plots of a run: they take a quarter of a small training, for tests that do not look at them."""

    def record(self, run: Run) -> Version:
        """The run without its plots."""
        return super().record(replace(run, figures={}))


def registry_in(folder: Path) -> Unillustrated:
    """The registry that a folder holds, or is about to hold."""
    return Unillustrated(f"sqlite:///{folder / STORE}", folder / "artifacts")


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with MLflow's tables and nothing in them, to be copied."""
    return made_once(tmp_path_factory, "registry", lambda folder: registry_in(folder).versions("churn")) / STORE


@pytest.fixture
def registry(empty_store: Path, tmp_path: Path) -> Tracking:
    """A registry of one test, in its folder."""
    shutil.copy(empty_store, tmp_path / STORE)
    return registry_in(tmp_path)
