"""The currencies that stand beside prices."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import pyarrow as pa

from features.config.sources import Source
from features.intake.reading.money import currency_of
from features.intake.reading.raw_table import RawTable
from features.tables.declared.transactions import CURRENCY
from features.tables.table import Column, Kind


def currencies_beside(
    source: Source, declared: Mapping[str, Column], raw: RawTable
) -> dict[str, pd.Series]:
    """The currency of each row by the sign of its price, where no column says it."""
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
