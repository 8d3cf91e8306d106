"""A model's files, sealed: the SHA-256 of each stands beside them, so that a changed or missing one
is noticed.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

SEAL = "files.json"
"""File that holds the digests."""


def seal(folder: Path) -> str:
    """Note the SHA-256 of every file beside them; returns that of the note, in hexadecimal."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    digests = {
        file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in files
    }
    noted = json.dumps(digests, indent=1)
    (folder / SEAL).write_text(noted, encoding="ascii")
    return hashlib.sha256(noted.encode("ascii")).hexdigest()


def require_sealed(folder: Path, sealed: str) -> None:
    """Raises `ValueError` where a file, or the note of them, is not the one that was sealed
    (`seal`), `OSError` where it is gone.
    """
    noted = (folder / SEAL).read_bytes()
    if hashlib.sha256(noted).hexdigest() != sealed:
        raise ValueError(f"{SEAL} is not the file that was saved")
    for name, digest in json.loads(noted).items():
        if hashlib.sha256((folder / name).read_bytes()).hexdigest() != digest:
            raise ValueError(f"{name} is not the file that was saved")
