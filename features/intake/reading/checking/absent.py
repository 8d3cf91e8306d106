"""Columns of rows that all say the same, or nothing, which take next to no memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from features.tables.table import Kind

CHUNK = 1 << 16


def absent(kind: Kind, index: pd.Index) -> pd.Series:
    """A column of missing values, in the type of a column of that kind."""
    if kind in (Kind.ID, Kind.TEXT):
        return same_text(None, index)
    if kind is Kind.PRICE:
        return pd.Series(np.broadcast_to(np.float64("nan"), len(index)), index=index, copy=False)
    dtype = "Int64" if kind is Kind.QUANTITY else "datetime64[us]"
    return pd.Series(None, index=index, dtype=dtype)


def same_text(text: str | None, index: pd.Index) -> pd.Series:
    """A column of one text, or of missing ones."""
    whole, rest = divmod(len(index), CHUNK)
    one = pa.array([text] * min(len(index), CHUNK), pa.large_string())
    chunks = [*[one] * whole, one.slice(0, rest)]
    texts = pa.chunked_array(chunks, pa.large_string())
    made: Any = pd.arrays.ArrowStringArray  # the stubs know neither its types nor `dtype`
    return pd.Series(made(texts, dtype=pd.StringDtype("pyarrow", na_value=np.nan)), index=index)
