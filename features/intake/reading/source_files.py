"""The files of a source, CSV or Parquet, as columns of raw cells with the line of each row."""

from __future__ import annotations

import glob
import hashlib
import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from features.errors import SourceError
from features.intake.reading.csv_records import CsvFile, Record, printable

CSV_ENDINGS = (".csv", ".tsv", ".txt")
PARQUET_ENDINGS = (".parquet", ".pq")
RECORDS_AT_ONCE = 65_536


@dataclass(frozen=True)
class RawTable:
    """Some columns of a file, unread: `cells` by column name, `lines` (int64) of the rows, and rows
    that have no cells.

    A row of a CSV file has the line on which it begins (the header is line 1), a row of a Parquet
    file its number from 1.
    """

    cells: dict[str, pa.Array[Any]]
    lines: NDArray[np.int64]
    misshapen: tuple[tuple[int, str], ...]
    decimal_comma: bool


def files_of(pattern: str, root: Path) -> list[Path]:
    """Files that a source's `file` (a path or a pattern, relative to `root`) names, in the order of
    their names.

    Raises `SourceError` where there is none.
    """
    if (root / pattern).is_file():
        return [root / pattern]
    found = sorted(
        root / name
        for name in glob.glob(pattern, root_dir=root, recursive=True)  # noqa: PTH207
        if (root / name).is_file()
    )
    if not found:
        raise SourceError(
            f"there is no such file ({root / pattern}); put it there or correct `file` in"
            " sayso.toml",
            file=root / pattern,
        )
    return found


def without_copies(files: Sequence[Path]) -> list[Path]:
    """`files` but for those that hold the same bytes as an earlier one: an export saved twice is
    one export.
    """
    first: dict[bytes, Path] = {}
    for file in files:
        with file.open("rb") as handle:
            first.setdefault(hashlib.file_digest(handle, "sha256").digest(), file)
    return list(first.values())


def column_types(file: Path) -> dict[str, pa.DataType]:
    """The file's columns and the types of their cells; in CSV everything is text.

    Raises `SourceError`.
    """
    if is_csv(file):
        return dict.fromkeys(CsvFile(file).columns, pa.string())
    schema = _parquet(file).schema_arrow
    return dict(zip(schema.names, schema.types, strict=True))


def read_raw(file: Path, columns: Collection[str]) -> RawTable:
    """Those of `columns` that the file is known to have.

    Raises `SourceError` where it cannot be read.
    """
    return _read_csv(CsvFile(file), columns) if is_csv(file) else _read_parquet(file, columns)


def raw_rows(file: Path, lines: Collection[int]) -> dict[int, str]:
    """What stands in the file at those lines: the row's text for CSV, a JSON object for Parquet."""
    if is_csv(file):
        return {
            record.line: printable(record.text)
            for record in CsvFile(file).records()
            if record.line in lines
        }
    wanted = sorted(lines)
    rows = _parquet(file).read().take([line - 1 for line in wanted]).to_pylist()
    return {
        line: json.dumps(row, default=str, ensure_ascii=False)
        for line, row in zip(wanted, rows, strict=True)
    }


def is_csv(file: Path) -> bool:
    """Whether the file is CSV rather than Parquet, by its ending.

    Raises `SourceError` for any other kind.
    """
    ending = file.suffix.lower()
    if ending not in CSV_ENDINGS + PARQUET_ENDINGS:
        raise SourceError(
            f"files that end in {ending or 'nothing'!r} are not read; save it as CSV in UTF-8 or as"
            " Parquet",
            file=file,
        )
    return ending in CSV_ENDINGS


def _read_csv(csv_file: CsvFile, columns: Collection[str]) -> RawTable:
    if twice := [name for name in columns if csv_file.columns.count(name) > 1]:
        raise SourceError(
            f"the header names {twice[0]!r} more than once; give each column its own name",
            file=csv_file.file,
            line=1,
        )
    positions = {name: csv_file.columns.index(name) for name in columns}
    parts: dict[str, list[pa.Array[Any]]] = {name: [pa.array([], pa.string())] for name in columns}
    lines: list[int] = []
    misshapen: list[tuple[int, str]] = []
    records = csv_file.records()
    while some := list(islice(records, RECORDS_AT_ONCE)):
        misshapen.extend((record.line, record.fault) for record in some if record.fault is not None)
        whole = [record for record in some if record.fault is None]
        lines.extend(record.line for record in whole)
        for name, cells in _columns(whole, positions):
            parts[name].append(cells)
    cells_by_name = {name: pa.concat_arrays(arrays) for name, arrays in parts.items()}
    return RawTable(
        cells_by_name,
        np.array(lines, dtype="int64"),
        tuple(misshapen),
        decimal_comma=csv_file.delimiter == ";",
    )


def _columns(
    records: list[Record], positions: dict[str, int]
) -> Iterator[tuple[str, pa.Array[Any]]]:
    for name, position in positions.items():
        yield name, pa.array([record.cells[position] for record in records], pa.string())


def _read_parquet(file: Path, columns: Collection[str]) -> RawTable:
    try:
        table = _parquet(file).read(columns=list(columns))
        table.validate(full=True)
    except pa.ArrowInvalid as error:
        raise SourceError(
            f"this Parquet file is damaged ({error}); export it again", file=file
        ) from None
    cells = {name: _one_array(table[name]) for name in columns}
    return RawTable(cells, np.arange(1, table.num_rows + 1, dtype="int64"), (), decimal_comma=False)


def _one_array(column: pa.ChunkedArray[Any]) -> pa.Array[Any]:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    return column.combine_chunks()


def _parquet(file: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(file)
    except (pa.ArrowInvalid, OSError) as error:
        raise SourceError(
            f"this is no Parquet file that can be read ({error}); export it again", file=file
        ) from None
