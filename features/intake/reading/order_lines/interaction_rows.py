"""Rows of interactions in one form: each with a kind that Sayso knows and one moment."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from features.config.sources import Source
from features.intake.interaction_kinds import CLICKS, kinds_of
from features.intake.order_statuses import bare
from features.intake.reading.raw_table import RawTable
from features.tables.declared.interactions import EMAILS, KIND, OCCURRED_AT, RATING


def as_interactions(raw: RawTable, source: Source) -> tuple[RawTable, Source]:
    """`raw` with a row for each interaction, and the source that maps its columns then.

    Where a row tells of several it stands once for each moment that is filled; else the words of
    the column of kinds become kinds, and words that mean none are emptied.
    """
    if source.moments:
        return _by_moment(raw, source)
    mapped = source.columns.get(KIND)
    if not isinstance(mapped, str):
        return raw, source
    words = _texts(raw.cells[mapped])
    kinds = words.map(kinds_of(words.dropna().unique(), source.kinds))
    name = f"{mapped} "  # beside the column itself, which other columns may be read from
    return _with(
        raw, source, {KIND: (name, pa.array(kinds.astype("object"), pa.string(), from_pandas=True))}
    )


def told_by_all(raw: RawTable, source: Source) -> str:
    """Why rows put behind others may mean something else than in the whole file; "" where they do
    not. All marks tell their scale, and a word such as clicked may be of e-mails or of pages.
    """
    if RATING in source.columns:
        return "the scale of marks depends on the whole file"
    mapped = source.columns.get(KIND)
    if not isinstance(mapped, str) or source.kinds:
        return ""
    words = _texts(raw.cells[mapped]).dropna().unique()
    if any(bare(word) in CLICKS for word in words) or EMAILS & {*kinds_of(words, {}).values()}:
        return "what words for a click mean depends on the whole file"
    return ""


def _by_moment(raw: RawTable, source: Source) -> tuple[RawTable, Source]:
    moments = [raw.cells[name].cast(pa.string()) for name in source.moments.values()]
    filled = np.column_stack([_texts(cells).notna().to_numpy() for cells in moments])
    rows, which = np.nonzero(filled)
    taken: Any = pa.array(rows)
    together: Any = pa.chunked_array(moments).combine_chunks()
    moment = together.take(pa.array(which * len(raw.lines) + rows))
    kinds = pa.array(np.array([*source.moments], dtype=object)[which], pa.string())
    cells = {name: its.take(taken) for name, its in raw.cells.items()}
    spread = replace(raw, cells=cells, lines=raw.lines[rows])
    named = " or ".join(source.moments.values())
    columns = {KIND: (f"{named} (kind)", kinds), OCCURRED_AT: (named, moment)}
    return _with(spread, source, columns)


def _with(
    raw: RawTable, source: Source, columns: dict[str, tuple[str, pa.Array[Any]]]
) -> tuple[RawTable, Source]:
    """`raw` with further columns, and the source that maps them."""
    mapped = {**source.columns, **{column: name for column, (name, _) in columns.items()}}
    return (
        replace(raw, cells={**raw.cells, **dict(columns.values())}),
        source.model_copy(update={"columns": mapped, "moments": {}}),
    )


def _texts(cells: pa.Array[Any]) -> pd.Series:
    """Texts without spaces around them, missing where nothing is left."""
    found = pd.Series(cells.cast(pa.string()).to_pandas(), dtype="object").str.strip()
    return found.where(found != "")
