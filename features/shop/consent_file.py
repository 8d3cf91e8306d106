"""A file of consents or contact permissions as rows of texts, each with its line."""

from __future__ import annotations

import csv
import gzip
import io
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from features.errors import SourceError

UNREADABLE = (
    OSError,
    EOFError,
    RuntimeError,
    ValueError,
    csv.Error,
    zlib.error,
    zipfile.BadZipFile,
)
"""What damaged, locked and foreign files raise."""


def consent_rows(file: Path) -> pd.DataFrame:
    """All cells of a file as text without spaces around them, the empty text where there is
    nothing. The index holds the line on which each row begins, or its number in a Parquet file.

    Raises `SourceError` where the file cannot be read, or a row has not the cells of the header.
    """
    try:
        if file.suffix.lower() == ".parquet":
            frame = pd.read_parquet(file)
            return frame.set_axis(range(1, len(frame) + 1)).map(_text)
        text = _unpacked(file).decode("utf-8-sig")
        rows = list(_records(file, io.StringIO(text, newline="")))
    except FileNotFoundError:
        raise SourceError("there is no such file", file=file) from None
    except UNREADABLE as error:
        raise SourceError(f"this is neither CSV in UTF-8 nor Parquet: {error}", file=file) from None
    if not rows:
        raise SourceError("the file has no header; name its columns there", file=file, line=1)
    (first, names), *others = rows
    if twice := [name for name in names if names.count(name) > 1]:
        raise SourceError(f"the header names {twice[0]!r} more than once", file=file, line=first)
    cells = [cells for _, cells in others]
    return pd.DataFrame(cells, [line for line, _ in others], names, dtype="str")


def _unpacked(file: Path) -> bytes:
    content = file.read_bytes()
    if file.suffix.lower() == ".gz":
        return gzip.decompress(content)
    if file.suffix.lower() == ".zip":
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            (only,) = archive.namelist()
            return archive.read(only)
    return content


def _records(file: Path, lines: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    """The header and every row with its line; empty lines are none."""
    reader = csv.reader(lines, strict=True)
    names: list[str] | None = None
    line = 1
    while True:
        try:
            cells = [cell.strip() for cell in next(reader)]
        except StopIteration:
            return
        except csv.Error as error:
            raise SourceError(
                f"the row cannot be read ({error}); nothing was imported", file=file, line=line
            ) from None
        names = names or cells
        if cells and len(cells) != len(names):
            raise SourceError(
                f"the row has {len(cells)} cells and the header {len(names)}; nothing was imported",
                file=file,
                line=line,
            )
        if cells:
            yield line, cells
        line = reader.line_num + 1


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value.strip()
    if pd.isna(value):
        return ""
    if isinstance(value, pd.Timestamp):
        return str(value.isoformat())
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
