"""Rows of a source in the warehouse's words, and rows that cannot be read, each with its line and
the reason.

Nothing is dropped or put right in silence: a row is read as it stands or it is rejected.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from features.config.sources import Source, in_file, names
from features.errors import SourceError
from features.intake.order_statuses import JOINED
from features.intake.reading.cells import (
    Cells,
    column_notation,
    read_id,
    read_moment,
    read_price,
    read_quantity,
    read_title,
)
from features.intake.reading.checking.absent import absent, same_text
from features.intake.reading.checking.currencies import currencies_beside
from features.intake.reading.checking.dates import check_dates
from features.intake.reading.checking.faults import Stated, awaited_in, reasons
from features.intake.reading.checking.mapping import check_columns, check_mapping
from features.intake.reading.containers import Content, settled, stamp_of
from features.intake.reading.databases.rows import DatabaseTable
from features.intake.reading.money import Notation
from features.intake.reading.order_lines.fill_down import filled_down, only_lines
from features.intake.reading.order_lines.interaction_rows import as_interactions, told_by_all
from features.intake.reading.order_lines.other_events import without_gaps
from features.intake.reading.raw_table import RawTable, TableFile
from features.intake.reading.rejected import rejections
from features.intake.reading.source_files import (
    FileRead,
    Piece,
    ReadAnew,
    by_content,
    files_of,
    head_of,
    is_long,
    opened,
)
from features.tables.declared.transactions import ORDERED_AT
from features.tables.table import RECORDED_AT, Column, Kind
from features.tables.tables import STANDARD, Tables

CONFIG = "sayso.toml"


@dataclass(frozen=True)
class SourceRows:
    """What a source holds.

    `rows` has the columns file (str), line (int64), all that its table may map, and of other
    tables those that it maps: quantities int64, prices float64, moments datetime64[us] in naive
    UTC, the others str; a text the shop does not state is missing. `rejected` has file, line and
    reason. `copies` are files left out because they repeat an earlier one byte for byte. `files`
    says by what each file was read, and `awaited` when the first row may be read that was rejected
    since its moment lies in the future. `table` is the table that the rows are of where a database
    has them.
    """

    rows: pd.DataFrame
    rejected: pd.DataFrame
    copies: tuple[str, ...] = ()
    files: dict[str, FileRead] = field(default_factory=dict)
    awaited: datetime | None = None
    table: DatabaseTable | None = None


def read_source(source: Source, root: Path, now: datetime, tables: Tables = STANDARD) -> SourceRows:
    """Read all files of `source`, whose paths are relative to `root`, as its table is declared; a
    moment after `now` is a fault.

    Raises `SourceError` for a file that is missing or damaged, and a column that is missing.
    """
    if source.url is not None:
        check_mapping(source, tables, root / CONFIG)
        return read_table(source, DatabaseTable(source), now, tables)
    files = files_of(source.file, root)
    check_mapping(source, tables, files[0])
    stamps = {file: stamp_of(file) for file in files}
    contents = by_content(files)
    copies = tuple(file_name(file, root) for file in files if file not in contents)
    pieces = [Piece(file, content, stamps[file]) for file, content in contents.items()]
    return replace(read_pieces(source, pieces, root, now, tables), copies=copies)


def read_pieces(
    source: Source,
    pieces: Sequence[Piece],
    root: Path,
    now: datetime,
    tables: Tables = STANDARD,
) -> SourceRows:
    """Read some files of a source, or what is new in them.

    Raises `ReadAnew` where what is new of a file cannot be read by itself, and what `read_source`
    raises.
    """
    parts = [_read_file(source, tables, piece, root, now) for piece in pieces]
    awaited = [part.awaited for part in parts if part.awaited is not None]
    return SourceRows(
        _together([part.rows for part in parts]),
        _together([part.rejected for part in parts]),
        files={name: read for part in parts for name, read in part.files.items()},
        awaited=min(awaited, default=None),
    )


def _together(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """All rows; those of one frame are not copied."""
    if len(frames) == 1:
        return frames[0].reset_index(drop=True)
    return pd.concat(frames, ignore_index=True)


def sample_of(source: Source, root: Path, now: datetime) -> pd.DataFrame:
    """Rows of a source as `read_source` reads them, of long files those from all over them."""
    files = [file for file in files_of(source.file, root) if not source.joins]
    if not any(map(is_long, files)):
        return read_source(source, root, now).rows
    nothing = Content(0, 0, ())
    pieces = [Piece(file, nothing, sampled=True) for file in files]
    return read_pieces(source, pieces, root, now).rows


def oldest_of(source: Source, root: Path, now: datetime) -> datetime | None:
    """The earliest moment that a row of a source was recorded at (naive UTC); None where there is
    none.
    """
    declared = STANDARD.stated_in(source.table)
    name = next((one for one in (RECORDED_AT, ORDERED_AT) if one in source.columns), None)
    if name is None:
        return None
    mapped, found = source.columns[name], list[pd.Timestamp]()
    for file in files_of(source.file, root):
        wanted = [mapped] if isinstance(mapped, str) else [*mapped]
        raw = opened(file, source.packed, source.joins, root).read(wanted)
        read = _read_column(declared[name], source, raw, now, file, None)
        bad = np.logical_or.reduce(
            [np.zeros(len(read.values), bool), *(f.mask for f in read.faults)]
        )
        found += [read.values[~bad].min()] if not bad.all() else []
    return min(found).to_pydatetime() if found else None


def file_name(file: Path, root: Path) -> str:
    """A file as rows name it: relative to the workspace where it lies in it."""
    return str(file.relative_to(root)) if file.is_relative_to(root) else str(file)


def read_table(
    source: Source, table: DatabaseTable, now: datetime, tables: Tables = STANDARD
) -> SourceRows:
    """The rows of a source that a database has; they are named by the source."""
    found, _ = _read(source, tables, table, Path(source.name), now, Path(), None)
    return replace(found, table=table)


def _read_file(
    source: Source, tables: Tables, piece: Piece, root: Path, now: datetime
) -> SourceRows:
    file, read = piece.file, piece.read
    begun = None if read is None else read.begun
    table = opened(file, source.packed, source.joins, root, begun, sampled=piece.sampled)
    found, notations = _read(source, tables, table, file, now, root, read)
    now_read = FileRead(piece.content, head_of(table), notations, settled(file, piece.stamp))
    return replace(found, files={file_name(file, root): now_read})


def _read(
    source: Source,
    tables: Tables,
    table: TableFile,
    file: Path,
    now: datetime,
    root: Path,
    read: FileRead | None,
) -> tuple[SourceRows, dict[str, Notation]]:
    """The rows of a table, which names them by its `file`, and how its columns write numbers."""
    declared = tables.stated_in(source.table)
    check_columns(source, declared, file, table)
    raw = table.read(sorted(set(source.file_columns)))
    if source.fill_down:
        raw = filled_down(raw, source, declared)
    raw = without_gaps(only_lines(raw, source), source, declared)
    if read is not None and (reason := told_by_all(raw, source)):
        raise ReadAnew(reason)
    raw, source = as_interactions(raw, source)
    notations = _notations(source, declared, raw, read)
    columns = _columns(source, declared, raw, now, file, notations, checked=True)
    return _rows_of(source, tables, file, root, raw, columns), notations


def read_rows(
    source: Source, tables: Tables, raw: RawTable, name: str, now: datetime
) -> SourceRows:
    """Rows that stand in no file, read as those of a file; `name` is what is told as the file."""
    declared, file = tables.stated_in(source.table), Path(name)
    notations = _notations(source, declared, raw, None)
    columns = _columns(source, declared, raw, now, file, notations, checked=False)
    return _rows_of(source, tables, file, Path(), raw, columns)


@dataclass(frozen=True)
class _Columns:
    """The columns of a source, what stands in those of their cells that have a fault, and the
    currencies that stand beside prices.
    """

    read: dict[str, Cells]
    stated: dict[str, Stated]
    currencies: dict[str, pd.Series]


def _columns(
    source: Source,
    declared: Mapping[str, Column],
    raw: RawTable,
    now: datetime,
    file: Path,
    notations: Mapping[str, Notation],
    *,
    checked: bool,
) -> _Columns:
    """The columns that a source maps, whose moments are `checked`. The raw cells are let go of one
    by one: of a long file there is no room for both forms of all.
    """
    found = _Columns({}, {}, currencies_beside(source, declared, raw))
    left = Counter(name for each in source.columns.values() for name in in_file(each))
    for column, mapped in source.columns.items():
        its = declared[column]
        read = _read_column(its, source, raw, now, file, notations.get(column))
        cells = _cells(mapped, its.kind, raw)
        if checked and its.kind is Kind.MOMENT:
            check_dates(source, file, cells, read, names(mapped))
        found.read[column], found.stated[column] = read, Stated.of(read, cells)
        left.subtract(in_file(mapped))
        for name in in_file(mapped):
            if not left[name]:
                raw.cells.pop(name, None)
    return found


def _rows_of(
    source: Source,
    tables: Tables,
    file: Path,
    root: Path,
    raw: RawTable,
    found: _Columns,
) -> SourceRows:
    """The rows of a file, and what of it, and of those joined to it, is rejected."""
    declared = tables.stated_in(source.table)
    name = file_name(file, root)
    columns = found.read
    faulty = dict(reasons(columns, found.stated, source, len(raw.lines)))
    rejected = [(name, line, reason) for line, reason in raw.misshapen]
    rejected += [(file_name(other, root), line, reason) for other, line, reason in raw.elsewhere]
    rejected += [(name, int(raw.lines[position]), reason) for position, reason in faulty.items()]
    lines, awaited = pd.Series(raw.lines), awaited_in(columns)
    values = {"line": lines, **found.currencies}
    values |= {column: columns.pop(column).values for column in [*columns]}
    its_own = {column.name for column in tables[source.table].stated}
    held = {
        name: column
        for name, column in declared.items()
        if name in its_own or name in source.columns or column.told_by in source.columns
    }
    return SourceRows(
        _completed(_without(values, [*faulty], name), held),
        rejections(sorted(rejected)),
        awaited=awaited,
    )


def _without(values: dict[str, pd.Series], faulty: list[int], name: str) -> pd.DataFrame:
    """The rows of a file of that name but for those that are faulty; each column is let go of once
    it is taken over.
    """
    readable = np.ones(len(values["line"]), dtype=bool)
    readable[faulty] = False
    rows = pd.RangeIndex(int(readable.sum()))
    kept = {"file": same_text(name, rows)}
    for column in [*values]:
        taken = values.pop(column)
        kept[column] = (taken[readable] if faulty else taken).set_axis(rows)
    return pd.DataFrame(kept, copy=False)


def _notations(
    source: Source, declared: Mapping[str, Column], raw: RawTable, read: FileRead | None
) -> dict[str, Notation]:
    """How each column of numbers writes them; of a file that was `read` before as it did then.

    Raises `ReadAnew` where what is new says something else.
    """
    found: dict[str, Notation] = {}
    for column in (name for name in source.columns if declared[name].kind.is_number):
        cells = _cells(source.columns[column], declared[column].kind, raw)
        before = None if read is None else read.notations.get(column)
        told = column_notation(cells, decimal_comma=raw.decimal_comma, before=before)
        if told is not None:
            found[column] = told
        elif before is not None:
            raise ReadAnew(f"{names(source.columns[column])} writes numbers in another way now")
    return found


def _read_column(
    column: Column,
    source: Source,
    raw: RawTable,
    now: datetime,
    file: Path,
    notation: Notation | None,
) -> Cells:
    try:
        return _read_cells(column, source, raw, now, notation)
    except (ValueError, pa.ArrowInvalid) as error:
        raise SourceError(
            f"the cells of `{names(source.columns[column.name])}` cannot be read: {error}; see"
            " `date_format` and `columns` in sayso.toml",
            file=file,
        ) from None


def _read_cells(
    column: Column, source: Source, raw: RawTable, now: datetime, notation: Notation | None
) -> Cells:
    cells = _cells(source.columns[column.name], column.kind, raw)
    comma, empty = raw.decimal_comma, column.may_be_empty
    match column.kind:
        case Kind.MOMENT:
            zone = source.time_zone or "UTC"
            form = source.date_format
            return read_moment(cells, date_format=form, now=now, zone=zone, may_be_empty=empty)
        case Kind.QUANTITY:
            return read_quantity(cells, decimal_comma=comma, may_be_empty=empty, notation=notation)
        case Kind.PRICE:
            return read_price(cells, decimal_comma=comma, may_be_empty=empty, notation=notation)
        case Kind.ID:
            return read_id(cells, required=not column.may_be_empty)
        case Kind.TEXT:
            return read_title(cells)


def _cells(mapped: str | tuple[str, ...], kind: Kind, raw: RawTable) -> pa.Array[Any]:
    """The cells of a column; where it is several in the file, joined."""
    if isinstance(mapped, str):
        return raw.cells[mapped]
    parts: list[Any] = [_trimmed(raw.cells[name]) for name in mapped]
    between = JOINED if kind is Kind.TEXT else " "
    joined: pa.Array[Any] = pc.binary_join_element_wise(*parts, between, null_handling="skip")
    return joined


def _trimmed(cells: pa.Array[Any]) -> pa.Array[Any]:
    """Texts without spaces around them; null where nothing is left."""
    texts: Any = pc.utf8_trim_whitespace(cells.cast(pa.string()))
    empty: Any = pc.equal(texts, pa.scalar(""))
    trimmed: pa.Array[Any] = pc.if_else(empty, pa.scalar(None, pa.string()), texts)
    return trimmed


def _completed(rows: pd.DataFrame, declared: Mapping[str, Column]) -> pd.DataFrame:
    """`rows` with all columns that are declared; what the shop does not state is derived where it
    can be, else missing.
    """
    for name, column in declared.items():
        if name not in rows:
            values = (
                column.derived(rows)
                if column.derived is not None
                else absent(column.kind, rows.index)
            )
            rows = rows.assign(**{name: values})
    return rows[["file", "line", *declared]]
