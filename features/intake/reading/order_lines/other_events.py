"""Files of events of many kinds: one that is no purchase needs neither an order nor a price."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from features.config.sources import Source
from features.intake.order_statuses import PURCHASES, bare
from features.intake.reading.raw_table import RawTable
from features.tables.declared.transactions import EVENT
from features.tables.table import Column, Kind

STANDS_IN = {Kind.ID: "-", Kind.QUANTITY: "0", Kind.PRICE: "0"}
"""What an empty cell is read as where the event is no purchase and its row is set aside."""


def without_gaps(raw: RawTable, source: Source, declared: Mapping[str, Column]) -> RawTable:
    """`raw` whose rows of other events have no empty cells of orders, products and prices: they are
    no purchases, whatever they hold, and not rejected for what they lack.
    """
    event = source.columns.get(EVENT)
    if not isinstance(event, str):
        return raw
    words = pd.Series(raw.cells[event].cast(pa.string()).to_pandas(), dtype="object").fillna("")
    kinds = {word: bare(word) not in PURCHASES for word in words.unique()}
    other = pa.array(words.map(kinds).astype("bool"))
    filled = {
        mapped: _filled(raw.cells[mapped], other, STANDS_IN[declared[column].kind])
        for column, mapped in source.columns.items()
        if isinstance(mapped, str)
        and declared[column].kind in STANDS_IN
        and not declared[column].may_be_empty
    }
    return replace(raw, cells={**raw.cells, **filled})


def _filled(cells: pa.Array[Any], rows: pa.Array[Any], text: str) -> pa.Array[Any]:
    if not pa.types.is_string(cells.type):
        return cells
    compute: Any = pc
    blank = compute.equal(compute.utf8_trim_whitespace(cells.fill_null("")), "")
    filled: pa.Array[Any] = compute.if_else(compute.and_(rows, blank), text, cells)
    return filled
