"""Registries of models for tests: real ones, without what takes time and nobody looks at."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from models.tracking import Run, Tracking, Version

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
    return Unillustrated(f"sqlite:///{folder / STORE}", folder / "artifacts")
