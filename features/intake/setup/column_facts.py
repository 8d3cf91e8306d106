"""What the cells of a column look like, whatever the column is called."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from features.config.sources import JoinSection, PackedSection
from features.intake.reading.cells import read_price
from features.intake.reading.date_formats import ISO_PATTERN, formats_of
from features.intake.reading.source_files import opened

ROWS_LOOKED_AT = 50_000
MAIL = r"[^@\s]+@[^@\s]+\.[^@\s]+"
TIME_OF_DAY = r"([01]?[0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?(\s?[AaPp]\.?[Mm]\.?)?"
MOST = 0.9
"""Cells that must agree before a column counts as something; a few may be corrupt."""


@dataclass(frozen=True)
class ColumnFacts:
    """The first rows of a column (`raw`), and its distinct texts from all over the file."""

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
    def is_amount(self) -> bool:
        """Whether what is filled of it are numbers."""
        known = self.numbers[self.values.notna().to_numpy()]
        return bool(len(known)) and bool(known.notna().mean() >= MOST)

    @cached_property
    def is_whole(self) -> bool:
        """Whether it holds whole numbers."""
        return self.is_number and bool((self.numbers.dropna() % 1 == 0).mean() >= MOST)

    @cached_property
    def values(self) -> pd.Series:
        """Its first rows as they are, missing where a cell is empty."""
        cells = pd.Series(self.raw.to_pandas())
        return cells.mask(cells.str.strip() == "") if pa.types.is_string(self.raw.type) else cells

    @cached_property
    def filled(self) -> float:
        """Share of its cells that hold something."""
        return float(self.values.notna().mean()) if len(self.values) else 0.0

    @cached_property
    def distinct(self) -> int:
        """How many different values it holds."""
        return int(self.values.nunique())

    @cached_property
    def is_mail(self) -> bool:
        """Whether it holds e-mail addresses."""
        found = pd.Series(self.texts[:1000], dtype="str")
        return bool(len(found)) and bool(found.str.fullmatch(MAIL).mean() >= MOST)

    @cached_property
    def is_time_of_day(self) -> bool:
        """Whether it holds times without dates."""
        found = pd.Series(self.texts[:1000], dtype="str")
        return bool(len(found)) and bool(found.str.fullmatch(TIME_OF_DAY).mean() >= MOST)

    @cached_property
    def has_times(self) -> bool:
        """Whether its dates have times of day."""
        found = pd.Series(self.texts[:1000], dtype="str")
        return bool(len(found)) and bool(found.str.contains(r"[0-9][:.][0-9]{2}").mean() >= MOST)

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


def facts_of(
    file: Path,
    packed: PackedSection | None = None,
    joins: Sequence[JoinSection] = (),
    *,
    sampled: bool = False,
) -> dict[str, ColumnFacts]:
    """The facts of every column of `file` that holds plain values, by name; where cells hold
    several items, those of their parts, and those of the files that are joined. Of a long file
    that may be `sampled` they are those of rows from all over it.

    Raises `SourceError` where it cannot be read.
    """
    table = opened(file, packed, joins, sampled=sampled)
    plain = [name for name, kind in table.types.items() if name and not pa.types.is_nested(kind)]
    raw = table.read(plain)
    return {
        name: ColumnFacts(name, cells[:ROWS_LOOKED_AT], _distinct_texts(cells), raw.decimal_comma)
        for name, cells in raw.cells.items()
    }


def joined(parts: Sequence[ColumnFacts]) -> ColumnFacts:
    """The facts of several columns joined by a space, such as a date and a time."""
    texts = [pd.Series(part.raw.cast(pa.string()).to_pandas(), dtype="str") for part in parts]
    whole = texts[0].str.strip()
    for more in texts[1:]:
        whole = whole.str.cat(more.str.strip(), sep=" ")
    raw = pa.array(whole, pa.string(), from_pandas=True)
    name = " and ".join(part.name for part in parts)
    return ColumnFacts(name, raw, _distinct_texts(raw), parts[0].decimal_comma)


def _distinct_texts(cells: pa.Array[Any]) -> tuple[str, ...]:
    if not (pa.types.is_string(cells.type) or pa.types.is_large_string(cells.type)):
        return ()
    return tuple(text.strip() for text in cells.unique().to_pylist() if text and text.strip())
