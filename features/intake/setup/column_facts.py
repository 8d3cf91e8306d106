"""What the cells of a column look like, whatever the column is called."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from features.intake.reading.cells import read_price
from features.intake.reading.date_formats import ISO_PATTERN, formats_of
from features.intake.reading.source_files import opened

ROWS_LOOKED_AT = 50_000
MOST = 0.9
"""Cells that must agree before a column counts as something; a few may be corrupt."""


@dataclass(frozen=True)
class ColumnFacts:
    """The first rows of a column (`raw`), and its distinct texts over the whole file."""

    name: str
    raw: pa.Array[Any]
    texts: tuple[str, ...]
    decimal_comma: bool

    @cached_property
    def is_moment(self) -> bool:
        """Whether it holds dates or times."""
        if pa.types.is_timestamp(self.raw.type) or pa.types.is_date(self.raw.type):
            return True
        return self.is_iso or bool(self.date_formats)

    @cached_property
    def is_iso(self) -> bool:
        """Whether its texts are ISO 8601."""
        texts = pd.Series(self.texts, dtype="str")
        return bool(len(texts)) and bool(texts.str.fullmatch(ISO_PATTERN).mean() >= MOST)

    @cached_property
    def date_formats(self) -> tuple[str, ...]:
        """Formats in which its texts may be dates; none where they are ISO 8601 or no texts."""
        return () if self.is_iso else formats_of(self.texts)

    @cached_property
    def numbers(self) -> pd.Series:
        """Its cells as float64, missing where they are no number."""
        if pa.types.is_temporal(self.raw.type) or pa.types.is_boolean(self.raw.type):
            return pd.Series(float("nan"), index=range(len(self.raw)))
        values, faults = read_price(self.raw, decimal_comma=self.decimal_comma)
        for fault in faults:
            values = values.mask(fault.mask)
        return values

    @cached_property
    def is_number(self) -> bool:
        """Whether it holds numbers."""
        return bool(self.numbers.notna().mean() >= MOST)

    @cached_property
    def is_whole(self) -> bool:
        """Whether it holds whole numbers."""
        return self.is_number and bool((self.numbers.dropna() % 1 == 0).mean() >= MOST)

    @cached_property
    def values(self) -> pd.Series:
        """Its first rows as they are, missing where a cell is empty."""
        cells = pd.Series(self.raw.to_pandas())
        return cells.mask(cells == "") if pa.types.is_string(self.raw.type) else cells

    @property
    def words(self) -> float:
        """Mean number of words of its distinct texts; 0 where it holds none."""
        return (
            float(
                pd.Series([len(text.split()) for text in self.texts[:1000]], dtype="float64").mean()
            )
            if self.texts
            else 0.0
        )


def facts_of(file: Path) -> dict[str, ColumnFacts]:
    """The facts of every column of `file` that holds plain values, by name.

    Raises `SourceError` where it cannot be read.
    """
    table = opened(file)
    plain = [name for name, kind in table.types.items() if name and not pa.types.is_nested(kind)]
    raw = table.read(plain)
    return {
        name: ColumnFacts(name, cells[:ROWS_LOOKED_AT], _distinct_texts(cells), raw.decimal_comma)
        for name, cells in raw.cells.items()
    }


def _distinct_texts(cells: pa.Array[Any]) -> tuple[str, ...]:
    if not (pa.types.is_string(cells.type) or pa.types.is_large_string(cells.type)):
        return ()
    return tuple(text.strip() for text in cells.unique().to_pylist() if text and text.strip())
