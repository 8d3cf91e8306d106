"""The bytes of a source's file, also where it is compressed or lies in an archive.

A file in an archive has the archive's path with its own name behind it: `orders.zip/orders.csv`.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import time
import zipfile
import zlib
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple, cast

from features.errors import SourceError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

GZIP, ZIP = ".gz", ".zip"
BUFFER = 1 << 18
"""Bytes unpacked at once."""
DAMAGED = (zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, EOFError, RuntimeError)
"""What a damaged or locked archive raises while it is read."""

PIECE = 1 << 24
"""Bytes of which one digest is made."""
AT_ONCE = 2
"""Pieces whose digests are made side by side."""


Stamp = tuple[int, int, int]
"""Bytes, moment of the last change in nanoseconds, and number of a file."""
JUST_NOW = 2.0
"""Seconds within which a file may change twice and show the same moment."""


@dataclass(frozen=True)
class Content:
    """What a file holds, unpacked: its bytes, its line ends, and the SHA-256 of each piece of
    `PIECE` bytes. Two files are the same where these are.
    """

    size: int
    lines: int
    pieces: tuple[str, ...]


def stamp_of(file: Path) -> Stamp | None:
    """Of a file, or of the archive that it lies in, as it is now; None where it is not there."""
    stands = file if file.is_file() else _archive_of(file)
    if stands is None:
        return None
    about = stands.stat()
    return about.st_size, about.st_mtime_ns, about.st_ino


def settled(file: Path, before: Stamp | None) -> Stamp | None:
    """The stamp of a file that was read meanwhile; None where it changed, or may have."""
    now = stamp_of(file)
    if now is None or now != before or now[1] / 1e9 > time.time() - JUST_NOW:
        return None
    return now


def content_of(file: Path, size: int | None = None, known: Content | None = None) -> Content:
    """The content of a file, or of its first `size` bytes; what is `known` of its beginning is not
    read again, but for its last piece.

    Raises `SourceError` where it cannot be read.
    """
    whole = 0 if known is None else known.size // PIECE
    begin, found, waiting = whole * PIECE, list[_Told](), deque[Future[_Told]]()
    counted = 0 if known is None else known.size - begin
    with open_bytes(file) as content, ThreadPoolExecutor(AT_ONCE) as pool:
        content.seek(begin)
        for piece in _pieces(content, None if size is None else size - begin):
            waiting.append(pool.submit(_told_of, piece, counted))
            counted = 0
            if len(waiting) > AT_ONCE:
                found.append(waiting.popleft().result())
        found += [one.result() for one in waiting]
    lines = (0 if known is None else known.lines) + sum(told.lines for told in found)
    digests = (() if known is None else known.pieces)[:whole] + tuple(one.digest for one in found)
    return Content(begin + sum(told.size for told in found), lines, digests)


def begins_with(file: Path, content: Content) -> bool:
    """Whether a file that is not packed begins with what was its content, or another's, before.

    Raises `SourceError` where it cannot be read.
    """
    if content.size == 0:
        return True
    with (
        open_bytes(file) as opened,
        mmap(opened.fileno(), content.size, access=ACCESS_READ) as text,
        memoryview(text) as whole,
        ThreadPoolExecutor(AT_ONCE) as pool,
    ):
        begins = range(0, content.size, PIECE)
        return tuple(pool.map(lambda begin: _digest(whole, begin), begins)) == content.pieces


def _digest(whole: memoryview, begin: int) -> str:
    with whole[begin : begin + PIECE] as piece:
        return hashlib.sha256(piece).hexdigest()


class _Told(NamedTuple):
    """What is told of a piece."""

    size: int
    lines: int
    digest: str


def _pieces(content: IO[bytes], size: int | None) -> Iterator[bytes]:
    left = size
    while piece := content.read(PIECE if left is None else min(PIECE, left)):
        left = None if left is None else left - len(piece)
        yield piece


def _told_of(piece: bytes, counted: int) -> _Told:
    """The digest of a piece, and its line ends after so many bytes."""
    return _Told(len(piece), piece.count(b"\n", counted), hashlib.sha256(piece).hexdigest())


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

    Raises `SourceError` where it cannot be opened, and when it is read where it is damaged.
    """
    with _told(file):
        if file.is_file() or (archive := _archive_of(file)) is None:
            packed = file.suffix.lower() == GZIP
            if not packed:
                return file.open("rb")
            return _reader(_Unpacked(file, cast("IO[bytes]", gzip.open(file))))
        with zipfile.ZipFile(archive) as opened:
            return _reader(_Unpacked(file, opened.open(file.relative_to(archive).as_posix())))


class _Unpacked(io.RawIOBase):
    """What is unpacked while it is read; damage is told with the file's name."""

    def __init__(self, file: Path, content: IO[bytes]) -> None:
        self._file = file
        self._content = content

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer)
        with _told(self._file):
            some = self._content.read(len(view))
        view[: len(some)] = some
        return len(some)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        with _told(self._file):
            return self._content.seek(offset, whence)

    def close(self) -> None:
        self._content.close()
        super().close()


def _reader(content: io.RawIOBase) -> IO[bytes]:
    return cast("IO[bytes]", io.BufferedReader(content, BUFFER))


@contextmanager
def _told(file: Path) -> Iterator[None]:
    """Whatever cannot be opened or unpacked meanwhile is a `SourceError`."""
    try:
        yield
    except (*DAMAGED, KeyError) as error:
        raise _damaged(file, error) from None
    except OSError as error:
        raise SourceError(
            f"the file cannot be opened ({error.strerror}); put it there and let Sayso read it",
            file=file,
        ) from None


def _damaged(file: Path, error: Exception) -> SourceError:
    return SourceError(f"the file is damaged or locked ({error}); export it again", file=file)


def _archive_of(file: Path) -> Path | None:
    return next((p for p in file.parents if p.suffix.lower() == ZIP and p.is_file()), None)


def _names(archive: Path) -> list[str]:
    try:
        with zipfile.ZipFile(archive) as opened:
            return opened.namelist()
    except (OSError, *DAMAGED) as error:
        raise _damaged(archive, error) from None
