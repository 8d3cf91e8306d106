"""A registry of models in a folder: what training leaves behind is kept as files, with no tracking
server in between.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from features.database.engine import Database
from models.artifact_digest import seal
from models.registry import Version
from models.tracking import Tracking
from models.training_run import Run


class KeptModels(Tracking):
    """The newest version of each model is the champion."""

    def __init__(self, folder: Path) -> None:
        super().__init__("", folder, Database("sqlite://"), folder)
        self._versions: dict[str, Version] = {}
        self.runs: dict[str, Run] = {}
        """The newest run by model."""

    def record(self, run: Run) -> Version:
        """Keep the files of a run, sealed."""
        number = (
            str(int(self._versions[run.model].version) + 1) if run.model in self._versions else "1"
        )
        version = Version(
            run.model,
            number,
            f"{run.model}-{number}-{time.time_ns()}",
            datetime.now(UTC),
            run.metrics,
            run.tags,
        )
        shutil.rmtree(self.folder(version), ignore_errors=True)
        self.folder(version).mkdir(parents=True)
        run.save(self.folder(version))
        seal(self.folder(version))
        self._versions[run.model], self.runs[run.model] = version, run
        return version

    def by_alias(self, model: str, alias: str) -> Version | None:  # noqa: ARG002 - there is one alias
        """The newest version."""
        return self._versions.get(model)

    def version(self, model: str, version: str) -> Version:  # noqa: ARG002 - only the newest is asked for
        """The newest version."""
        return self._versions[model]

    def promote(
        self, version: Version, gates: Mapping[str, str], override: Mapping[str, str] | None = None
    ) -> None:
        """The newest is the champion anyway."""

    def folder(self, version: Version) -> Path:
        """Folder of a version's files."""
        return self._folder / version.model / version.version
