"""What every kind of file gives: some columns of raw cells, with the line of each row."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.errors import SourceError

ROWS_BELOW = 20
"""Rows that say what is usual in a table."""


@dataclass(frozen=True)
class RawTable:
    """Some columns of a file, unread: `cells` by column name, `lines` (int64) of the rows, and rows
    that have no cells.

    A row of a CSV or Excel file has the line on which it begins (counted from 1, the header too), a
    row of JSON lines its line, and a row of a Parquet file its number from 1.
    """

    cells: dict[str, pa.Array[Any]]
    lines: NDArray[np.int64]
    misshapen: tuple[tuple[int, str], ...] = ()
    decimal_comma: bool = False
    """Whether commas are likely to be decimal, since something else stands between cells."""
    elsewhere: tuple[tuple[Path, int, str], ...] = ()
    """Rows of joined files that have no cells: the file, the line, and why."""


class TableFile(Protocol):
    """A file that holds a table."""

    @property
    def types(self) -> dict[str, pa.DataType]:
        """Its columns and the types of their cells."""

    def read(self, columns: Collection[str]) -> RawTable:
        """Those of `columns`, which it is known to have. Raises `SourceError`."""

    def raw(self, lines: Collection[int]) -> dict[int, str]:
        """What stands at those lines, for people to look at."""


def as_text(value: object) -> str | None:
    """A cell of a typed file as CSV would hold it; None where it holds nothing."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return number_text(value)
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, date | time):
        return value.isoformat()
    return str(value)


def number_text(value: float) -> str:
    """A number as a spreadsheet writes it: a whole one without a point, while all of its digits
    are known, and a rounded one with an `E`.
    """
    whole = value.is_integer() and abs(value) < 2**53
    return f"{value:.0f}" if whole else repr(value).replace("e", "E")


def text_table(
    names: Sequence[str],
    rows: Iterable[Sequence[str | None]],
    lines: Sequence[int],
    misshapen: Iterable[tuple[int, str]] = (),
) -> RawTable:
    """A table of text cells from rows of them."""
    by_column = list(zip(*rows, strict=True)) or [()] * len(names)
    cells: dict[str, pa.Array[Any]] = {
        name: pa.array(column, pa.string()) for name, column in zip(names, by_column, strict=True)
    }
    return RawTable(cells, np.array(lines, dtype="int64"), tuple(misshapen))


def is_title(cells: int, below: Sequence[int]) -> bool:
    """Whether a row above a table is the title of a report, rather than its header: it fills at
    most half as many cells as the usual one of the rows below it, whose cells are counted in
    `below`.
    """
    near = sorted(below[:ROWS_BELOW])
    return len(near) > 1 and 2 * cells <= near[len(near) // 2]


def require_once(names: Sequence[str], columns: Collection[str], file: Path, line: int) -> None:
    """Raise `SourceError` where the header names one of `columns` more than once."""
    if twice := [name for name in columns if names.count(name) > 1]:
        raise SourceError(
            f"the header names {twice[0]!r} more than once; give each column its own name",
            file=file,
            line=line,
        )
