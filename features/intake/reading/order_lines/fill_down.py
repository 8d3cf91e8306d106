"""Exports that state an order's own columns on its first line alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from features.config.sources import Source
from features.intake.reading.raw_table import RawTable
from features.tables.declared import products
from features.tables.declared.transactions import ORDER_ID
from features.tables.table import Column


def filled_down(raw: RawTable, source: Source, declared: Mapping[str, Column]) -> RawTable:
    """`raw` with the empty cells of columns that all lines of an order share filled from the line
    above of the same order.

    An order begins where another number of an order stands than before; a line without a number
    goes on with the order above it. In a table of products it is the title that begins one, and a
    row without a product's id has nothing but a further picture: it is none.
    """
    number = source.columns.get(ORDER_ID)
    if source.table == products.NAME:
        return _products_filled_down(raw, source)
    if not isinstance(number, str):
        return raw
    numbers = _texts(raw.cells[number]).ffill()
    run = (numbers != numbers.shift()).cumsum()
    shared = [
        name
        for column, mapped in source.columns.items()
        if declared[column].of_order
        for name in ([mapped] if isinstance(mapped, str) else mapped)
    ]
    filled = {
        name: pa.array(_texts(raw.cells[name]).groupby(run).ffill(), pa.string(), from_pandas=True)
        for name in shared
        if name != number
    }
    filled[number] = pa.array(numbers, pa.string(), from_pandas=True)
    return replace(raw, cells={**raw.cells, **filled})


def only_lines(raw: RawTable, source: Source) -> RawTable:
    """`raw` without rows that hold nothing where every line of the source does."""
    if source.only_with is None:
        return raw
    rows = np.flatnonzero(_texts(raw.cells[source.only_with]).notna())
    kept: Any = pa.array(rows)
    cells = {name: its.take(kept) for name, its in raw.cells.items()}
    return replace(raw, cells=cells, lines=raw.lines[rows])


def _products_filled_down(raw: RawTable, source: Source) -> RawTable:
    product, title = source.columns[products.PRODUCT_ID], source.columns.get(products.TITLE)
    if not isinstance(product, str) or not isinstance(title, str):
        return raw
    run = _texts(raw.cells[title]).notna().cumsum()
    rows = np.flatnonzero(_texts(raw.cells[product]).notna() | _texts(raw.cells[title]).notna())
    kept: Any = pa.array(rows)
    cells = {
        name: pa.array(_texts(its).groupby(run).ffill(), pa.string(), from_pandas=True)
        if name != product
        else its
        for name, its in raw.cells.items()
    }
    taken = {name: its.take(kept) for name, its in cells.items()}
    return replace(raw, cells=taken, lines=raw.lines[rows])


def _texts(cells: pa.Array[Any]) -> pd.Series:
    """Cells as str, missing where nothing stands in them."""
    texts = pd.Series(cells.cast(pa.string()).to_pandas(), dtype="str")
    return texts.where(texts.str.strip() != "")
