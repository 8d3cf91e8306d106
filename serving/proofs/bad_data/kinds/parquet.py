"""Parquet files."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from serving.proofs.bad_data.spoilt_load import (
    COLUMNS,
    ROWS,
    SPOILT,
    Cell,
    Cells,
    ExportGroup,
    Spoilt,
    with_cells,
    writing,
)

FILE = "orders.parquet"


def _written(rows: Sequence[Cells], **columns: pa.Array[Any]) -> bytes:
    named = zip(COLUMNS, zip(*rows, strict=True), strict=True)
    cells: dict[str, Any] = {name: pa.array([*column]) for name, column in named}
    made = io.BytesIO()
    pq.write_table(pa.table({**cells, **columns}), made)
    return made.getvalue()


GOOD = _written(ROWS)


def _cell(told: str, **cells: Cell) -> Spoilt:
    content = _written(with_cells(ROWS, **cells))
    return Spoilt(writing(FILE, content), told, FILE, SPOILT + 1, row=SPOILT)


def _whole(told: str, content: bytes) -> Spoilt:
    return Spoilt(writing(FILE, content), told, FILE)


PARQUET = ExportGroup(
    {FILE: GOOD},
    {
        "nothing for an order, in Parquet": _cell("order is empty", order=None),
        "a price that is not a number, in Parquet": _cell("which is not finite", price=math.nan),
        "half a unit, in Parquet": _cell("which is not a whole number", units=2.5),
        "a moment in the future, in Parquet": _cell(
            "which lies in the future", day=datetime(2199, 1, 3, tzinfo=UTC).replace(tzinfo=None)
        ),
        "a moment that nobody lives in, in Parquet": _whole(
            "day", _written(ROWS, day=pa.array([2**60] * len(ROWS), pa.timestamp("ms")))
        ),
        "lists for a product, in Parquet": _whole(
            "which `product_id` cannot be", _written(ROWS, sku=pa.array([["p"]] * len(ROWS)))
        ),
        "a Parquet file cut off": _whole("no Parquet file", GOOD[:-40]),
        "a Parquet file that was changed": _whole(
            "damaged", GOOD[:4] + bytes(byte ^ 0xFF for byte in GOOD[4:300]) + GOOD[300:]
        ),
        "CSV that is called Parquet": _whole("no Parquet file", b"client,order\nc1,A1\n"),
    },
)
