"""Whether files are still the ones that were read, told without reading them again."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

Stamp = tuple[tuple[int, int, int, int] | None, ...]


def stamp(files: Iterable[Path]) -> Stamp:
    """What the file system says of each file (device, inode, size, time of change in ns); None for
    one that is not there.
    """
    return tuple(_stamp(file) for file in files)


def _stamp(file: Path) -> tuple[int, int, int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
