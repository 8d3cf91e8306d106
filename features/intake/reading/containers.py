"""The bytes of a source's file, also where it is compressed or lies in an archive.

A file in an archive has the archive's path with its own name behind it: `orders.zip/orders.csv`.
"""

from __future__ import annotations

import gzip
import hashlib
import zipfile
import zlib
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from features.errors import SourceError

GZIP, ZIP = ".gz", ".zip"
DAMAGED = (zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, EOFError, RuntimeError)
"""What a damaged or locked archive raises while it is read."""

PIECE = 1 << 24
"""Bytes of which one digest is made."""
AT_ONCE = 2
"""Pieces whose digests are made side by side."""


@dataclass(frozen=True)
class Content:
    """What a file holds, unpacked: its bytes, its line ends, and the SHA-256 of each piece of
    `PIECE` bytes. Two files are the same where these are.
    """

    size: int
    lines: int
    pieces: tuple[str, ...]


def content_of(file: Path, size: int | None = None) -> Content:
    """The content of a file, or of its first `size` bytes.

    Raises `SourceError` where it cannot be read.
    """
    found, waiting = list[tuple[int, int, str]](), deque[Future[tuple[int, int, str]]]()
    try:
        with open_bytes(file) as content, ThreadPoolExecutor(AT_ONCE) as pool:
            for piece in _pieces(content, size):
                waiting.append(pool.submit(_told_of, piece))
                if len(waiting) > AT_ONCE:
                    found.append(waiting.popleft().result())
            found += [one.result() for one in waiting]
    except DAMAGED as error:
        raise damaged(file, error) from None
    sizes, lines, digests = zip(*found, strict=True) if found else ((), (), ())
    return Content(sum(sizes), sum(lines), tuple(digests))


def _pieces(content: IO[bytes], size: int | None) -> Iterator[bytes]:
    left = size
    while piece := content.read(PIECE if left is None else min(PIECE, left)):
        left = None if left is None else left - len(piece)
        yield piece


def _told_of(piece: bytes) -> tuple[int, int, str]:
    return len(piece), piece.count(b"\n"), hashlib.sha256(piece).hexdigest()


def ending(file: Path) -> str:
    """The ending that says what a file holds, in lower case: that before `.gz` where there is
    one.
    """
    name = file.with_suffix("") if file.suffix.lower() == GZIP else file
    return name.suffix.lower()


def is_there(file: Path) -> bool:
    """Whether there is such a file, or such a member of an archive."""
    if file.is_file():
        return True
    archive = _archive_of(file)
    return archive is not None and file.relative_to(archive).as_posix() in _names(archive)


def members(archive: Path) -> list[Path]:
    """The files in a zip archive, in the order of their names; hidden ones are none.

    Raises `SourceError` where it cannot be read.
    """
    names = (name for name in _names(archive) if not name.endswith("/"))
    shown = [name for name in names if not any(p[:1] in (".", "_") for p in Path(name).parts)]
    return [archive / name for name in sorted(shown)]


def open_bytes(file: Path) -> IO[bytes]:
    """The content of a file, unpacked.

    Raises `SourceError` where it cannot be opened.
    """
    try:
        if file.is_file() or (archive := _archive_of(file)) is None:
            packed = file.suffix.lower() == GZIP
            return cast("IO[bytes]", gzip.open(file)) if packed else file.open("rb")
        with zipfile.ZipFile(archive) as opened:
            return opened.open(file.relative_to(archive).as_posix())
    except OSError as error:
        raise SourceError(
            f"the file cannot be opened ({error.strerror}); put it there and let Sayso read it",
            file=file,
        ) from None
    except (*DAMAGED, KeyError) as error:
        raise damaged(file, error) from None


def damaged(file: Path, error: Exception) -> SourceError:
    """The error of a file or archive whose bytes cannot be unpacked."""
    return SourceError(f"the file is damaged or locked ({error}); export it again", file=file)


def _archive_of(file: Path) -> Path | None:
    return next((p for p in file.parents if p.suffix.lower() == ZIP and p.is_file()), None)


def _names(archive: Path) -> list[str]:
    try:
        with zipfile.ZipFile(archive) as opened:
            return opened.namelist()
    except (OSError, *DAMAGED) as error:
        raise damaged(archive, error) from None
