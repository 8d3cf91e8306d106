"""The files of a source, whatever their kind, as columns of raw cells with the line of each row."""

from __future__ import annotations

import glob
import hashlib
from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from features.config.sources import JoinSection, PackedSection
from features.errors import SourceError
from features.intake.reading import excel_sheets, json_records, parquet_columns
from features.intake.reading.containers import ZIP, ending, is_there, members, open_bytes
from features.intake.reading.csv_blocks import Block, Shape, blocks
from features.intake.reading.csv_records import CsvFile
from features.intake.reading.excel_sheets import ExcelFile
from features.intake.reading.json_records import JsonFile
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
NO_CELLS: pa.Array[Any] = pa.array([], pa.string())


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


def without_copies(files: Sequence[Path]) -> list[Path]:
    """`files` but for those that hold the same bytes as an earlier one: an export saved twice is
    one export.
    """
    first: dict[bytes, Path] = {}
    for file in files:
        with open_bytes(file) as handle:
            digest = hashlib.sha256()
            while block := handle.read(1 << 20):
                digest.update(block)
            first.setdefault(digest.digest(), file)
    return list(first.values())


def opened(
    file: Path,
    packed: PackedSection | None = None,
    joins: Sequence[JoinSection] = (),
    root: Path = Path(),
) -> TableFile:
    """The table that a file holds, with a row for each item where its cells hold several, and with
    the columns of the files (relative to `root`) that are joined.

    Raises `SourceError` where it is of a kind that is not read, or damaged.
    """
    table = _opened(file)
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


class _CsvTable:
    def __init__(self, file: Path) -> None:
        self._csv = CsvFile(file)

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
            {name: pa.concat_arrays(arrays) for name, arrays in parts.items()},
            np.concatenate(lines),
            tuple(misshapen),
            decimal_comma=its.delimiter == ";",
        )

    def _quickly(self, wanted: tuple[int, ...]) -> Iterator[Block]:
        its = self._csv
        shape = Shape(len(its.columns), its.delimiter, wanted)
        with open_bytes(its.file) as content:
            yield from blocks(content, its.header_line, shape, its.of_lines)

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
        return self._csv.text_at(lines)
