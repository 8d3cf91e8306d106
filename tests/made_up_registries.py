"""Registries of models for tests: real ones, without what takes time and nobody looks at."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from sqlalchemy import select, update

from features.database.engine import Database
from features.database.tables import model_versions
from models.registry import Registry, Version
from models.tracking import Tracking
from models.training_run import Run

STORE = "mlflow.db"


class Unillustrated(Tracking):
    """A registry that draws no plots of a run: they take a quarter of a small training, for tests
    that do not look at them.
    """

    def record(self, run: Run) -> Version:
        """The run without its plots."""
        return super().record(replace(run, figures={}))


def registry_in(folder: Path) -> Unillustrated:
    """The registry that a folder holds, or is about to hold."""
    database = Database.open(f"sqlite:///{folder / 'sayso.db'}")
    return Unillustrated(
        f"sqlite:///{folder / STORE}", folder / "artifacts", database, folder / "models"
    )


def noted(registry: Registry, version: Version, metrics: Mapping[str, float]) -> None:
    """Change the figures of a version, as if its run had come out so."""
    column = model_versions.c
    mine = (column.model == version.model, column.version == version.version)
    with registry._database.write() as connection:
        (stated,) = connection.execute(select(column.content).where(*mine)).scalars()
        content = json.loads(stated)
        content["metrics"] |= metrics
        changed = update(model_versions).where(*mine).values(content=json.dumps(content))
        connection.execute(changed)
