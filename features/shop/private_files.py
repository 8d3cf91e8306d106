"""Which files of a workspace nobody but their owner may open."""

from __future__ import annotations

import stat
from pathlib import Path

from features.shop.workspace import Workspace

OTHERS = stat.S_IRWXG | stat.S_IRWXO


def open_files(workspace: Workspace) -> list[Path]:
    """Those of a workspace's private files that others than their owner may open."""
    return [file for file in workspace.private_files if open_to_others(file)]


def open_to_others(file: Path) -> bool:
    """Whether others than its owner may open a file or folder; one that is gone by now, nobody."""
    try:
        return bool(file.stat().st_mode & OTHERS)
    except FileNotFoundError:
        return False


def close_to_others(file: Path) -> None:
    """Let nobody but its owner open a file or folder."""
    file.chmod(0o700 if file.is_dir() else 0o600)
