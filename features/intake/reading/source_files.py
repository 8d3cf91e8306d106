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
from features.intake.reading.csv_records import CsvFile, Record, printable
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
        table = JoinedFile(table, [(join, _opened(root / join.file)) for join in joins])
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
        parts: dict[str, list[pa.Array[Any]]] = {
            name: [pa.array([], pa.string())] for name in columns
        }
        lines: list[int] = []
        misshapen: list[tuple[int, str]] = []
        records = its.records()
        while some := list(islice(records, RECORDS_AT_ONCE)):
            misshapen += [(record.line, record.fault) for record in some if record.fault]
            whole = [record for record in some if record.fault is None]
            lines += [record.line for record in whole]
            for name, cells in _columns(whole, positions):
                parts[name].append(cells)
        return RawTable(
            {name: pa.concat_arrays(arrays) for name, arrays in parts.items()},
            np.array(lines, dtype="int64"),
            tuple(misshapen),
            decimal_comma=its.delimiter == ";",
        )

    def raw(self, lines: Collection[int]) -> dict[int, str]:
        return {
            record.line: printable(record.text)
            for record in self._csv.records()
            if record.line in lines
        }


def _columns(
    records: list[Record], positions: dict[str, int]
) -> Iterator[tuple[str, pa.Array[Any]]]:
    for name, position in positions.items():
        yield name, pa.array([record.cells[position] for record in records], pa.string())
