"""Registries of models, each a copy of an empty one: MLflow takes a second to make its tables."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.made_once import made_once
from tests.made_up_registries import STORE, Unillustrated, registry_in


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with MLflow's tables and nothing in them, to be copied."""
    return (
        made_once(tmp_path_factory, "registry", lambda folder: registry_in(folder)._client) / STORE
    )


@pytest.fixture
def registry(empty_store: Path, tmp_path: Path) -> Unillustrated:
    """A registry of one test, in its folder."""
    shutil.copy(empty_store, tmp_path / STORE)
    return registry_in(tmp_path)
