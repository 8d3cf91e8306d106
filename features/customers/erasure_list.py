"""The list of the erased: a file beside the database, so that somebody who was erased stays erased
when an older backup is put back.

A line is a tag that cannot be turned back into an id, and when it was erased. It may lie on another
disk than the database, and be copied anywhere.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from features.errors import WorkspaceError
from features.private_file import sync

TAG = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class ErasureList:
    """The list in `file`."""

    file: Path

    def add(self, erased: Mapping[str, str]) -> None:
        """Append tags with the times (ISO 8601) of their erasures, but for those that are there; on
        disk once this returns. The list is begun where it is not there.
        """
        new = not self.file.exists()
        known = {} if new else self.read()
        lines = [f"{tag} {moment}\n" for tag, moment in erased.items() if tag not in known]
        if not (new or lines):
            return
        descriptor = os.open(self.file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "a", encoding="ascii") as handle:
            handle.write("".join(lines))
            handle.flush()
            os.fsync(handle.fileno())
        if new:
            sync(self.file.parent)

    def read(self) -> dict[str, str]:
        """When each tag was erased.

        Raises `WorkspaceError` where the file is missing or is no such list.
        """
        try:
            return dict(_entries(self.file.read_text(encoding="ascii").splitlines()))
        except FileNotFoundError:
            raise WorkspaceError(f"{self.file}, the list of the erased, is not there") from None
        except ValueError as error:
            raise WorkspaceError(
                f"{self.file} is no list of the erased; put back the one that was there"
            ) from error


def _entries(lines: Iterable[str]) -> Iterable[tuple[str, str]]:
    for line in lines:
        tag, moment = line.split(" ")
        if TAG.fullmatch(tag) is None:
            raise ValueError
        yield tag, moment
