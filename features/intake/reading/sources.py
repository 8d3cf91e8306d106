"""Rows of a source in the warehouse's words, and rows that cannot be read, each with its line and
the reason.

Nothing is dropped or put right in silence: a row is read as it stands or it is rejected.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from features.config.sources import Source, names
from features.errors import SourceError
from features.intake.order_statuses import JOINED
from features.intake.reading.cells import (
    EMPTY,
    Cells,
    is_readable,
    read_id,
    read_moment,
    read_price,
    read_quantity,
    read_title,
)
from features.intake.reading.date_formats import ISO_PATTERN, formats_of, normalised
from features.intake.reading.money import currency_of
from features.intake.reading.order_lines.fill_down import filled_down, only_lines
from features.intake.reading.order_lines.other_events import without_gaps
from features.intake.reading.raw_table import RawTable, TableFile
from features.intake.reading.rejected import rejections
from features.intake.reading.source_files import files_of, opened, without_copies
from features.tables.declared.transactions import CURRENCY
from features.tables.table import Column, Kind
from features.tables.tables import STANDARD, Tables

ABSENT = {
    Kind.ID: "str",
    Kind.TEXT: "str",
    Kind.PRICE: "float64",
    Kind.QUANTITY: "Int64",
    Kind.MOMENT: "datetime64[us]",
}
"""Types of a column of missing values, where a source maps none."""
SHOWN = 60
"""Characters of a faulty value that a reason quotes."""


@dataclass(frozen=True)
class SourceRows:
    """What a source holds.

    `rows` has the columns file (str), line (int64) and all that its table may map: quantities
    int64, prices float64, moments datetime64[us] in naive UTC, the others str; a text the shop does
    not state is missing. `rejected` has file, line and reason. `copies` are files left out because
    they repeat an earlier one byte for byte.
    """

    rows: pd.DataFrame
    rejected: pd.DataFrame
    copies: tuple[str, ...] = ()


def read_source(source: Source, root: Path, now: datetime, tables: Tables = STANDARD) -> SourceRows:
    """Read all files of `source`, whose paths are relative to `root`, as its table is declared; a
    moment after `now` is a fault.

    Raises `SourceError` for a file that is missing or damaged, and a column that is missing.
    """
    files = files_of(source.file, root)
    columns = tables.stated_in(source.table)
    _check_mapping(source, columns, tables[source.table].one_of, files[0])
    originals = without_copies(files)
    parts = [_read_file(source, columns, file, root, now) for file in originals]
    return SourceRows(
        pd.concat([part.rows for part in parts], ignore_index=True),
        pd.concat([part.rejected for part in parts], ignore_index=True),
        tuple(_name(file, root) for file in files if file not in originals),
    )


def _name(file: Path, root: Path) -> str:
    return str(file.relative_to(root)) if file.is_relative_to(root) else str(file)


def _check_mapping(
    source: Source,
    allowed: Mapping[str, Column],
    one_of: Iterable[tuple[str, ...]],
    file: Path,
) -> None:
    if unknown := [name for name in source.columns if name not in allowed]:
        raise SourceError(
            f"the source `{source.name}` maps {_list(unknown)}; `{source.table}` has"
            f" {_list(allowed)}",
            file=file,
        )
    missing = [
        name for name, column in allowed.items() if column.required and name not in source.columns
    ]
    if missing:
        raise SourceError(
            f"the source `{source.name}` maps no {_list(missing)}; state in sayso.toml which"
            " columns they are",
            file=file,
        )
    for group in one_of:
        if not {*group} & source.columns.keys():
            neither = " nor ".join(f"`{name}`" for name in group)
            raise SourceError(
                f"the source `{source.name}` maps neither {neither}; one of them is needed",
                file=file,
            )


def _read_file(
    source: Source, declared: Mapping[str, Column], file: Path, root: Path, now: datetime
) -> SourceRows:
    name = _name(file, root)
    table = opened(file, source.packed, source.joins, root)
    _check_columns(source, declared, file, table)
    raw = table.read(sorted(set(source.file_columns)))
    if source.fill_down:
        raw = filled_down(raw, source, declared)
    raw = without_gaps(only_lines(raw, source), source, declared)
    try:
        columns = {
            column: _read_column(declared[column], source, raw, now) for column in source.columns
        }
    except (ValueError, pa.ArrowInvalid) as error:
        raise SourceError(
            f"its cells cannot be read: {error}; see `date_format` and `columns` in sayso.toml",
            file=file,
        ) from None
    for column, its in declared.items():
        if its.kind is Kind.MOMENT and column in columns:
            cells = _cells(source.columns[column], its.kind, raw)
            _check_dates(source, file, cells, columns[column], names(source.columns[column]))
    return _sorted_rows(source, declared, raw, columns, name)


def read_rows(
    source: Source, declared: Mapping[str, Column], raw: RawTable, name: str, now: datetime
) -> SourceRows:
    """Rows that stand in no file, read as those of a file; `name` is what is told as the file."""
    columns = {
        column: _read_column(declared[column], source, raw, now) for column in source.columns
    }
    return _sorted_rows(source, declared, raw, columns, name)


def _sorted_rows(
    source: Source,
    declared: Mapping[str, Column],
    raw: RawTable,
    columns: dict[str, Cells],
    name: str,
) -> SourceRows:
    """The rows that could be read, and the others with the reason."""
    reasons = dict(_reasons(source, declared, raw, columns))
    rejected = [(name, line, reason) for line, reason in raw.misshapen]
    rejected += [(name, int(raw.lines[position]), reason) for position, reason in reasons.items()]
    rows = pd.DataFrame(
        {
            "file": name,
            "line": raw.lines,
            **_currencies(source, declared, raw),
            **{column: cells.values for column, cells in columns.items()},
        }
    )
    readable = np.ones(len(rows), dtype=bool)
    readable[list(reasons)] = False
    return SourceRows(_completed(rows[readable], declared), rejections(sorted(rejected)))


def _check_columns(
    source: Source, declared: Mapping[str, Column], file: Path, table: TableFile
) -> None:
    found = table.types
    if missing := sorted({name for name in source.file_columns if name not in found}):
        raise SourceError(
            f"the column {_list(missing)} is missing; found are {_list(found)}. "
            f"Correct `columns` of the source `{source.name}` in sayso.toml, or the file",
            file=file,
        )
    for column, mapped in source.columns.items():
        name = mapped if isinstance(mapped, str) else mapped[0]
        if not is_readable(found[name], declared[column].kind, source.date_format):
            raise SourceError(
                f"the column `{name}` is of type {found[name]}, which `{column}` cannot be; export"
                " it as text",
                file=file,
            )


def _read_column(column: Column, source: Source, raw: RawTable, now: datetime) -> Cells:
    cells = _cells(source.columns[column.name], column.kind, raw)
    comma, empty = raw.decimal_comma, column.may_be_empty
    match column.kind:
        case Kind.MOMENT:
            zone = source.time_zone or "UTC"
            return read_moment(cells, date_format=source.date_format, now=now, zone=zone)
        case Kind.QUANTITY:
            return read_quantity(cells, decimal_comma=comma, may_be_empty=empty)
        case Kind.PRICE:
            return read_price(cells, decimal_comma=comma, may_be_empty=empty)
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


def _currencies(
    source: Source, declared: Mapping[str, Column], raw: RawTable
) -> dict[str, pd.Series]:
    """The currencies that stand beside prices, where no column says them."""
    prices = [
        mapped
        for column, mapped in source.columns.items()
        if declared[column].kind is Kind.PRICE and isinstance(mapped, str)
    ]
    texts = [name for name in prices if pa.types.is_string(raw.cells[name].type)]
    if CURRENCY not in declared or CURRENCY in source.columns or not texts:
        return {}
    cells = pd.Series(raw.cells[texts[0]].to_pandas(), dtype="str").str.strip()
    signs = {text: currency_of(text) for text in cells.dropna().unique()}
    return {CURRENCY: cells.map(signs).astype("str")} if any(signs.values()) else {}


def _check_dates(source: Source, file: Path, raw: pa.Array[Any], cells: Cells, column: str) -> None:
    """Where not one date can be read it is the format that is wrong, and not every row."""
    if cells.values.notna().any():
        return
    texts = pd.Series(raw.to_pandas(), dtype=object).dropna()
    if not len(texts) or not all(isinstance(text, str) for text in texts):
        return
    texts = texts.str.strip()
    texts = texts[texts != ""].map(normalised)
    forms = formats_of(texts.unique().tolist())
    if len(texts) and texts.str.fullmatch(ISO_PATTERN).all():
        raise SourceError(
            f"the dates in `{column}` are ISO 8601 ({texts.iloc[0]!r}); remove"
            f" `date_format`{_of(source)}",
            file=file,
        )
    if forms:
        hint = " or ".join(f'`date_format = "{form}"`' for form in forms)
        raise SourceError(
            f"the dates in `{column}` look like {texts.iloc[0]!r}; state {hint}{_of(source)}",
            file=file,
        )


def _of(source: Source) -> str:
    return f" of the source `{source.name}` in sayso.toml"


def _reasons(
    source: Source, declared: Mapping[str, Column], raw: RawTable, columns: dict[str, Cells]
) -> Iterator[tuple[int, str]]:
    """Position and reason of every row that holds a fault; of several the first in the order of the
    mapping.
    """
    judged = np.zeros(len(raw.lines), dtype=bool)
    for column, cells in columns.items():
        name = names(source.columns[column])
        stated = _cells(source.columns[column], declared[column].kind, raw)
        for fault in cells.faults:
            positions = np.flatnonzero(fault.mask & ~judged)
            judged |= fault.mask
            for position, value in zip(
                positions.tolist(),
                stated.take(pa.array(positions, pa.int64())).to_pylist(),
                strict=True,
            ):
                yield (
                    position,
                    (
                        f"{name} is empty"
                        if fault.words == EMPTY
                        else f"{name} is {_quoted(value)}, {fault.words}"
                    ),
                )


def _quoted(value: object) -> str:
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def _completed(rows: pd.DataFrame, declared: Mapping[str, Column]) -> pd.DataFrame:
    """`rows` with all columns that are declared; what the shop does not state is derived where it
    can be, else missing.
    """
    for name, column in declared.items():
        if name not in rows:
            values = (
                column.derived(rows)
                if column.derived is not None
                else pd.Series(None, index=rows.index, dtype=ABSENT[column.kind])
            )
            rows = rows.assign(**{name: values})
    return rows[["file", "line", *declared]]


def _list(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
