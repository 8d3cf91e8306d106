"""The files of a source, whatever their kind, as columns of raw cells with the line of each row."""

from __future__ import annotations

import glob
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from io import SEEK_END, BytesIO
from itertools import islice
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa

from features.config.sources import JoinSection, PackedSection, Source
from features.errors import SaysoError, SourceError
from features.intake.reading import excel_sheets, json_records, parquet_columns
from features.intake.reading.containers import (
    GZIP,
    ZIP,
    Content,
    Stamp,
    content_of,
    ending,
    is_there,
    members,
    open_bytes,
)
from features.intake.reading.csv_blocks import Block, Shape, blocks, is_closed
from features.intake.reading.csv_records import CsvFile
from features.intake.reading.excel_sheets import ExcelFile
from features.intake.reading.json_records import JsonFile
from features.intake.reading.money import Notation
from features.intake.reading.order_lines.joined_files import JoinedFile
from features.intake.reading.order_lines.packed_cells import UnpackedFile
from features.intake.reading.parquet_columns import ParquetFile
from features.intake.reading.raw_table import RawTable, TableFile, require_once

CSV_ENDINGS = (".csv", ".tsv", ".txt")
READ = (
    *CSV_ENDINGS,
    *excel_sheets.ENDINGS,
    *json_records.ENDINGS,
    *parquet_columns.ENDINGS,
)
"""Endings of files that are read, also with `.gz` behind them."""
RECORDS_AT_ONCE = 65_536
LONG, SAMPLES = 1 << 25, 16
"""Bytes of a long file, of which rows from so many places, half as many bytes, tell as much."""
NEAR_END = 1 << 20
"""Bytes at the end of a file that tell whether its last record may go on."""
NO_CELLS: pa.Array[Any] = pa.array([], pa.string())


class ReadAnew(SaysoError):
    """What is new of a source cannot be told or read by itself, so that all of it has to be."""


@dataclass(frozen=True)
class Head:
    """By what the lines of a CSV file are read."""

    encoding: str
    columns: tuple[str, ...]
    delimiter: str
    line: int


@dataclass(frozen=True)
class Begun:
    """How far a file was read: its bytes and lines, and by what its lines are read."""

    size: int
    lines: int
    head: Head


@dataclass(frozen=True)
class FileRead:
    """What a file held, by what its lines were read (None: it is no CSV), and how each of its
    columns writes numbers. `stamp` is None where it may have changed meanwhile.
    """

    content: Content
    head: Head | None
    notations: dict[str, Notation]
    stamp: Stamp | None = None

    @property
    def begun(self) -> Begun | None:
        """What is needed to go on where this reading ended."""
        content = self.content
        return None if self.head is None else Begun(content.size, content.lines, self.head)


@dataclass(frozen=True)
class Piece:
    """A file to read, all of it or what follows where it was `read` before; `content` is what it
    holds, as it was when it had that `stamp`. A long one that may be `sampled` is read in places.
    """

    file: Path
    content: Content
    stamp: Stamp | None = None
    read: FileRead | None = None
    sampled: bool = False


def files_of(pattern: str, root: Path) -> list[Path]:
    """Files that a source's `file` (a path, a folder or a pattern, relative to `root`) names, in
    the order of their names; of a zip archive its members.

    Raises `SourceError` where there is none.
    """
    named = root / pattern
    if named.is_dir():
        found = sorted(file for file in named.rglob("*") if file.is_file() and _is_read(file))
    elif is_there(named):
        found = [named]
    else:
        names = sorted(glob.glob(pattern, root_dir=root, recursive=True))  # noqa: PTH207
        found = [root / name for name in names if (root / name).is_file()]
    files = [
        each
        for file in found
        for each in (filter(_is_read, members(file)) if file.suffix.lower() == ZIP else [file])
    ]
    if not files:
        raise SourceError(
            f"there is no such file ({named}); put it there or correct `file` in sayso.toml",
            file=named,
        )
    return files


def _is_read(file: Path) -> bool:
    hidden = file.name.startswith((".", "~$"))
    return not hidden and (ending(file) in READ or file.suffix.lower() == ZIP)


def by_content(files: Sequence[Path]) -> dict[Path, Content]:
    """`files` with what they hold, but for those that hold the same bytes as an earlier one: an
    export saved twice is one export.
    """
    found: dict[Path, Content] = {}
    for file in files:
        content = content_of(file)
        if content not in found.values():
            found[file] = content
    return found


def opened(
    file: Path,
    packed: PackedSection | None = None,
    joins: Sequence[JoinSection] = (),
    root: Path = Path(),
    begun: Begun | None = None,
    *,
    sampled: bool = False,
) -> TableFile:
    """The table that a file holds, with a row for each item where its cells hold several, and with
    the columns of the files (relative to `root`) that are joined; of a file that was `begun` what
    follows, and of a long one that may be `sampled` rows from all over it.

    Raises `SourceError` where it is of a kind that is not read, or damaged, and `ReadAnew` where
    what follows cannot be read by itself.
    """
    csv = begun is not None or (sampled and ending(file) in CSV_ENDINGS)
    table = _CsvTable(file, begun, sampled=sampled) if csv else _opened(file)
    if joins:
        table = JoinedFile(file, table, [(join, _opened(root / join.file)) for join in joins], root)
    return table if packed is None else UnpackedFile(table, packed)


def _opened(file: Path) -> TableFile:
    kind = ending(file)
    if kind in CSV_ENDINGS:
        return _CsvTable(file)
    if kind in excel_sheets.ENDINGS:
        return ExcelFile(file)
    if kind in json_records.ENDINGS:
        return JsonFile(file)
    if kind in parquet_columns.ENDINGS:
        return ParquetFile(file)
    raise SourceError(
        f"files that end in {kind or 'nothing'!r} are not read; save it as CSV in UTF-8, Excel"
        " (.xlsx), JSON lines or Parquet",
        file=file,
    )


def goes_on(source: Source, file: Path) -> bool:
    """Whether lines that are put behind the others in a file can be read by themselves."""
    by_rows = not source.fill_down and not source.joins
    return by_rows and file.suffix.lower() in CSV_ENDINGS and file.is_file()


def head_of(table: TableFile) -> Head | None:
    """By what the lines of a file are read; None where it is no plain CSV."""
    return table.head if isinstance(table, _CsvTable) else None


class _CsvTable:
    def __init__(self, file: Path, begun: Begun | None = None, *, sampled: bool = False) -> None:
        self._csv = CsvFile(file, 0 if begun is None else begun.size)
        self._begun = begun
        self._sampled = sampled and is_long(file)
        if begun is not None and (self.head != begun.head or not self._csv.is_utf_8):
            raise ReadAnew(f"the header or the encoding of {file.name} changed")

    @property
    def head(self) -> Head:
        """By what its lines are read."""
        its = self._csv
        return Head(its.encoding, tuple(its.columns), its.delimiter, its.header_line)

    @property
    def types(self) -> dict[str, pa.DataType]:
        return dict.fromkeys(self._csv.columns, pa.string())

    def read(self, columns: Collection[str]) -> RawTable:
        its = self._csv
        require_once(its.columns, columns, its.file, its.header_line)
        positions = {name: its.columns.index(name) for name in columns}
        read = self._quickly if its.is_utf_8 else self._one_by_one
        parts: dict[str, list[pa.Array[Any]]] = {name: [NO_CELLS] for name in columns}
        lines = [np.empty(0, dtype=np.int64)]
        misshapen: list[tuple[int, str]] = []
        for block in read(tuple(positions.values())):
            lines.append(block.lines)
            misshapen += block.misshapen
            for name, at in positions.items():
                parts[name].append(block.cells[at])
        return RawTable(
            {name: pa.concat_arrays(parts.pop(name)) for name in list(parts)},
            np.concatenate(lines),
            tuple(misshapen),
            decimal_comma=its.delimiter == ";",
        )

    def _quickly(self, wanted: tuple[int, ...]) -> Iterator[Block]:
        its = self._csv
        shape = Shape(len(its.columns), its.delimiter, wanted)
        with open_bytes(its.file) as content:
            if self._begun is None:
                for _ in range(its.header_line):
                    content.readline()
                whole = BytesIO(_sample(content)) if self._sampled else content
                yield from blocks(whole, its.header_line, shape, its.of_lines)
            else:
                _go_to(content, self._begun.size, its.file)
                yield from blocks(content, self._begun.lines, shape, its.of_lines)

    def _one_by_one(self, wanted: tuple[int, ...]) -> Iterator[Block]:
        records = self._csv.records()
        while some := list(islice(records, RECORDS_AT_ONCE)):
            whole = [record for record in some if record.fault is None]
            cells: dict[int, pa.Array[Any]] = {
                at: pa.array([record.cells[at] for record in whole], pa.string()) for at in wanted
            }
            faults = [(record.line, record.fault) for record in some if record.fault]
            yield Block(cells, np.array([r.line for r in whole], dtype=np.int64), faults)

    def raw(self, lines: Collection[int]) -> dict[int, str]:
        if self._begun is None:
            return self._csv.text_at(lines)
        return self._csv.text_at(lines, self._begun.lines, self._begun.size)


def is_long(file: Path) -> bool:
    """Whether rows from all over a file tell what it is like."""
    return file.is_file() and file.suffix.lower() != GZIP and file.stat().st_size > LONG


def _sample(content: IO[bytes]) -> bytes:
    """The lines that follow, and whole lines from places all over a file."""
    begin = content.tell()
    size = content.seek(0, SEEK_END)
    found = []
    for place in range(SAMPLES):
        content.seek(begin + (size - begin) * place // SAMPLES)
        if place:
            content.readline()
        found += [content.read(LONG // SAMPLES // 2), content.readline()]
    return b"".join(found)


def _go_to(content: IO[bytes], size: int, file: Path) -> None:
    """Go to where a file ended before. Raises `ReadAnew` where its last record may go on there."""
    content.seek(max(0, size - NEAR_END))
    if not is_closed(content.read(min(size, NEAR_END))):
        raise ReadAnew(f"{file.name} ended within a record or with a blank line")
