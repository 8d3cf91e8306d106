"""The bytes of a source's file, also where it is compressed or lies in an archive.

A file in an archive has the archive's path with its own name behind it: `orders.zip/orders.csv`.
"""

from __future__ import annotations

import gzip
import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

from features.errors import SourceError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

GZIP, ZIP = ".gz", ".zip"
AT_ONCE = 1 << 18
DAMAGED = (zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, EOFError, RuntimeError)
"""What a damaged or locked archive raises while it is read."""


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
    return cast("IO[bytes]", io.BufferedReader(content, AT_ONCE))


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
