"""Whether a column's dates are written as the source says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from features.config.sources import Source
from features.errors import SourceError
from features.intake.reading.cells import Cells
from features.intake.reading.date_formats import ISO_PATTERN, formats_of, normalised


def check_dates(source: Source, file: Path, raw: pa.Array[Any], cells: Cells, column: str) -> None:
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
