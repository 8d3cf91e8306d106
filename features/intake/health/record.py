"""The record of all loads, append-only: a line of JSON for each, in the workspace."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from features.errors import WorkspaceError
from features.intake.health.drift import Oddity
from features.intake.health.figures import Figures, TableFigures
from features.private_file import sync


@dataclass(frozen=True)
class Load:
    """A load: when it was (naive UTC), its figures, those of the rows that came with it, since when
    its newest moment is the newest, and what is odd about it.
    """

    at: datetime
    figures: Figures
    added: dict[str, TableFigures]
    newest_since: datetime
    oddities: tuple[Oddity, ...]


_LOAD = TypeAdapter(Load)


@dataclass(frozen=True)
class HealthRecord:
    """The record in `file`."""

    file: Path

    def loads(self) -> list[Load]:
        """All loads, the oldest first; a line that is cut off or of another version is passed
        over. Raises `WorkspaceError` where the file cannot be read.
        """
        try:
            return list(self._read())
        except OSError as error:
            raise self._fault("read", error) from error

    def append(self, load: Load) -> None:
        """Add a load; it is on disk once this returns. Raises `WorkspaceError` where that fails."""
        try:
            self._append(load)
        except OSError as error:
            raise self._fault("written", error) from error

    def _append(self, load: Load) -> None:
        descriptor = os.open(self.file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "r+b", buffering=0) as handle:
            line = _LOAD.dump_json(load) + b"\n"
            handle.write(line if _ends_whole(handle.fileno()) else b"\n" + line)
            os.fsync(handle.fileno())
        sync(self.file.parent)

    def _read(self) -> Iterator[Load]:
        try:
            lines = self.file.read_bytes().splitlines()
        except FileNotFoundError:
            return
        for line in lines:
            try:
                yield _LOAD.validate_json(line)
            except ValidationError:
                continue

    def _fault(self, done: str, error: OSError) -> WorkspaceError:
        return WorkspaceError(
            f"{self.file}, the record of loads, cannot be {done} ({error.strerror}): put back what"
            " was there, or move it away, and the next load begins it anew"
        )


def _ends_whole(descriptor: int) -> bool:
    """Whether the last line of a file was written to its end."""
    size = os.fstat(descriptor).st_size
    return size == 0 or os.pread(descriptor, 1, size - 1) == b"\n"
