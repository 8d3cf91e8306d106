"""Rows of a source in the warehouse's words, and rows that cannot be read, each with its line and
the reason.

Nothing is dropped or put right in silence: a row is read as it stands or it is rejected.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from features.config.schema import Source
from features.errors import SourceError
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
from features.intake.reading.date_formats import ISO_PATTERN, formats_of
from features.intake.reading.rejected import rejections
from features.intake.reading.source_files import (
    RawTable,
    column_types,
    files_of,
    read_raw,
    without_copies,
)

TRANSACTIONS = (
    "customer_id",
    "order_id",
    "product_id",
    "ordered_at",
    "quantity",
    "unit_price",
    "amount",
    "title",
    "country",
    "recorded_at",
    "product_category",
    "brand",
)
"""Columns that a source of transactions may map.

One without `order_id` has one order per customer and moment, one without `quantity` one unit a
line, and one of `unit_price` and `amount` follows from the other.
"""
PRODUCTS = ("product_id", "title", "product_category", "brand")
COLUMNS = {"transactions": TRANSACTIONS, "products": PRODUCTS}
NEEDED = {"transactions": ("customer_id", "product_id", "ordered_at"), "products": ("product_id",)}
SHOWN = 60
"""Characters of a faulty value that a reason quotes."""


@dataclass(frozen=True)
class SourceRows:
    """What a source holds.

    `rows` has the columns file (str), line (int64) and all that its table may map: quantity int64,
    unit_price and amount float64, moments datetime64[us] in naive UTC, the others str; a text the
    shop does not state is missing. `rejected` has file, line and reason. `copies` are files left
    out because they repeat an earlier one byte for byte.
    """

    rows: pd.DataFrame
    rejected: pd.DataFrame
    copies: tuple[str, ...] = ()


def read_source(source: Source, root: Path, now: datetime) -> SourceRows:
    """Read all files of `source`, whose paths are relative to `root`; a moment after `now` is a
    fault.

    Raises `SourceError` for a table that is not read, a file that is missing or damaged, and a
    column that is missing.
    """
    files = files_of(source.file, root)
    _check_mapping(source, files[0])
    originals = without_copies(files)
    parts = [_read_file(source, file, _name(file, root), now) for file in originals]
    return SourceRows(
        pd.concat([part.rows for part in parts], ignore_index=True),
        pd.concat([part.rejected for part in parts], ignore_index=True),
        tuple(_name(file, root) for file in files if file not in originals),
    )


def _name(file: Path, root: Path) -> str:
    return str(file.relative_to(root)) if file.is_relative_to(root) else str(file)


def _check_mapping(source: Source, file: Path) -> None:
    if source.table not in COLUMNS:
        raise SourceError(
            f"the source `{source.name}` fills `{source.table}`, which is not read yet; remove it"
            " from sayso.toml",
            file=file,
        )
    allowed = COLUMNS[source.table]
    if unknown := [name for name in source.columns if name not in allowed]:
        raise SourceError(
            f"the source `{source.name}` maps {_list(unknown)}; `{source.table}` has"
            f" {_list(allowed)}",
            file=file,
        )
    missing = [name for name in NEEDED[source.table] if name not in source.columns]
    if missing:
        raise SourceError(
            f"the source `{source.name}` maps no {_list(missing)}; state in sayso.toml which"
            " columns they are",
            file=file,
        )
    if source.table == "transactions" and not {"unit_price", "amount"} & source.columns.keys():
        raise SourceError(
            f"the source `{source.name}` maps neither `unit_price` nor `amount`; one of them is"
            " needed",
            file=file,
        )


def _read_file(source: Source, file: Path, name: str, now: datetime) -> SourceRows:
    _check_columns(source, file)
    raw = read_raw(file, set(source.columns.values()))
    try:
        columns = {column: _read_column(column, source, raw, now) for column in source.columns}
    except (ValueError, pa.ArrowInvalid) as error:
        raise SourceError(
            f"its cells cannot be read: {error}; see `date_format` and `columns` in sayso.toml",
            file=file,
        ) from None
    for column in ("ordered_at", "recorded_at"):
        if column in columns:
            _check_dates(
                source,
                file,
                raw.cells[source.columns[column]],
                columns[column],
                source.columns[column],
            )
    reasons = dict(_reasons(source, raw, columns))
    rejected = [(name, line, reason) for line, reason in raw.misshapen]
    rejected += [(name, int(raw.lines[position]), reason) for position, reason in reasons.items()]
    rows = pd.DataFrame(
        {
            "file": name,
            "line": raw.lines,
            **{column: cells.values for column, cells in columns.items()},
        }
    )
    readable = np.ones(len(rows), dtype=bool)
    readable[list(reasons)] = False
    return SourceRows(_completed(rows[readable], source.table), rejections(sorted(rejected)))


def _check_columns(source: Source, file: Path) -> None:
    found = column_types(file)
    if missing := sorted({name for name in source.columns.values() if name not in found}):
        raise SourceError(
            f"the column {_list(missing)} is missing; found are {_list(found)}. "
            f"Correct `columns` of the source `{source.name}` in sayso.toml, or the file",
            file=file,
        )
    for column, name in source.columns.items():
        if not is_readable(found[name], column):
            raise SourceError(
                f"the column `{name}` is of type {found[name]}, which `{column}` cannot be; export"
                " it as text",
                file=file,
            )


def _read_column(column: str, source: Source, raw: RawTable, now: datetime) -> Cells:
    cells = raw.cells[source.columns[column]]
    if column in ("ordered_at", "recorded_at"):
        return read_moment(cells, date_format=source.date_format, now=now)
    if column == "quantity":
        return read_quantity(cells, decimal_comma=raw.decimal_comma)
    if column in ("unit_price", "amount"):
        return read_price(cells, decimal_comma=raw.decimal_comma)
    if column.endswith("_id"):
        return read_id(cells, required=column != "customer_id")
    return read_title(cells)


def _check_dates(source: Source, file: Path, raw: pa.Array, cells: Cells, column: str) -> None:
    """Where not one date can be read it is the format that is wrong, and not every row."""
    texts = pd.Series(raw.to_pandas(), dtype=object).dropna()
    if (
        cells.values.notna().any()
        or not len(texts)
        or not all(isinstance(text, str) for text in texts)
    ):
        return
    texts = texts.str.strip()
    texts = texts[texts != ""]
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


def _reasons(source: Source, raw: RawTable, columns: dict[str, Cells]) -> Iterator[tuple[int, str]]:
    """Position and reason of every row that holds a fault; of several the first in the order of the
    mapping.
    """
    judged = np.zeros(len(raw.lines), dtype=bool)
    for column, cells in columns.items():
        name = source.columns[column]
        for fault in cells.faults:
            positions = np.flatnonzero(fault.mask & ~judged)
            judged |= fault.mask
            for position, value in zip(
                positions.tolist(),
                raw.cells[name].take(pa.array(positions)).to_pylist(),
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


def _completed(rows: pd.DataFrame, table: str) -> pd.DataFrame:
    """`rows` with all columns of their table; what the shop does not state is derived where it can
    be, else missing.
    """
    if table == "transactions":
        rows = _with_amounts(rows)
        if "recorded_at" not in rows:
            rows = rows.assign(recorded_at=rows["ordered_at"])
    absent = {
        column: pd.Series(None, index=rows.index, dtype="str")
        for column in COLUMNS[table]
        if column not in rows
    }
    return rows.assign(**absent)[["file", "line", *COLUMNS[table]]]


def _with_amounts(rows: pd.DataFrame) -> pd.DataFrame:
    if "quantity" not in rows:
        rows = rows.assign(quantity=np.int64(1))
    if "unit_price" not in rows:
        rows = rows.assign(
            unit_price=rows["amount"] / rows["quantity"].where(rows["quantity"] != 0, 1)
        )
    if "amount" not in rows:
        rows = rows.assign(amount=rows["quantity"] * rows["unit_price"])
    return rows


def _list(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
