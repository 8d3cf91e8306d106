"""Files that have to be on disk and whole: secrets, readable by their owner alone, and what names
the data in use.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable
from pathlib import Path


def made_text(file: Path, make: Callable[[], str]) -> str:
    """What stands in `file`; where it is not there yet it is made, and of several who make it at
    once the first one counts.
    """
    if not file.exists():
        partial = _written(file, make())
        with contextlib.suppress(FileExistsError):
            os.link(partial, file)
        partial.unlink()
        sync(file.parent)
    return file.read_text(encoding="ascii")


def present_text(file: Path) -> str | None:
    """What stands in `file`; None where it is not there."""
    try:
        return file.read_text(encoding="ascii")
    except FileNotFoundError:
        return None


def replace_text(file: Path, text: str) -> None:
    """Put `text` in place of what `file` held; it is on disk once this returns."""
    os.replace(_written(file, text), file)
    sync(file.parent)


def sync(path: Path) -> None:
    """Return once what a file holds, or what a folder lists, is on disk."""
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _written(file: Path, text: str) -> Path:
    partial = file.with_name(f"{file.name}.{secrets.token_hex(8)}")
    with os.fdopen(
        os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii"
    ) as handle:
        handle.write(text)
        handle.flush()
        os.fsync(handle.fileno())
    return partial
