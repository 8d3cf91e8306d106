"""The export of a made-up shop as a CSV file of any length, oldest line first."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import csv

from features.synthetic.shop import BEGIN

LINES_OF_ORDER, ORDERS_OF_CUSTOMER = 3, 17
PRODUCTS = 5_000
SECONDS = 2 * 365 * 86_400
"""How long the shop has been there: two years."""
AT_ONCE = 600_000
COUNTRIES = np.array(["DE", "FR", "GB", "ES"])
BAD = (("ordered_at", "soon"), ("quantity", "many"))
"""Cells that cannot be read, one in a line."""


def write_export(file: Path, lines: int, bad: float = 0.0, seed: int = 7) -> None:
    """Write about so many order lines; of the share `bad` of them a cell cannot be read."""
    draw = np.random.default_rng(seed)
    customers = max(50, lines // (LINES_OF_ORDER * ORDERS_OF_CUSTOMER))
    with file.open("wb") as out:
        for begin in range(0, lines, AT_ONCE):
            count = min(AT_ONCE, lines - begin)
            chunk = _lines(draw, begin, count, customers, (begin / lines, (begin + count) / lines))
            spoilt = draw.random(count) < bad
            for number, (column, cell) in enumerate(BAD):
                chosen = spoilt & (np.arange(count) % len(BAD) == number)
                chunk[column] = chunk[column].astype("object").where(~chosen, cell)
            _write(chunk, out, header=begin == 0)


def append_day(file: Path, lines: int, back: float = 0.01, seed: int = 8) -> None:
    """Put a further day's lines behind the others; the share `back` of them take something back."""
    draw = np.random.default_rng(seed)
    chunk = _lines(draw, 10**9, lines, 1_000, (1.0, 1.0 + 1 / 730))
    returned = draw.random(lines) < back
    chunk["quantity"] = np.where(returned, -1, chunk["quantity"])
    with file.open("ab") as out:
        _write(chunk, out, header=False)


def _lines(
    draw: np.random.Generator, first: int, count: int, customers: int, span: tuple[float, float]
) -> pd.DataFrame:
    """Lines of orders from number `first` on, within a part of the shop's time."""
    order = np.arange(count) // LINES_OF_ORDER
    orders = int(order[-1]) + 1
    customer = draw.integers(0, customers, orders)[order]
    product = np.minimum((draw.pareto(1.1, count) * 30).astype(np.int64), PRODUCTS - 1)
    low, high = (round(part * SECONDS) for part in span)
    second = np.sort(draw.integers(low, max(high, low + 1), orders))[order]
    moment = np.datetime64(BEGIN, "s") + second.astype("timedelta64[s]")
    return pd.DataFrame(
        {
            "order_id": first // LINES_OF_ORDER + order + 1_000_000,
            "customer_id": np.char.add("C", (customer + 10_000).astype(str)),
            "ordered_at": np.char.replace(np.datetime_as_string(moment), "T", " "),
            "product_id": np.char.add("P", (product + 10_000).astype(str)),
            "title": np.char.add("Product ", product.astype(str)),
            "quantity": draw.integers(1, 5, count),
            "unit_price": (product * 37 % 4_900 + 99) / 100,
            "country": COUNTRIES[customer % len(COUNTRIES)],
        }
    )


def _write(chunk: pd.DataFrame, out: BinaryIO, *, header: bool) -> None:
    plain = {str(name): pa.array(column.astype("str")) for name, column in chunk.items()}
    options = csv.WriteOptions(include_header=header, quoting_style="none")
    csv.write_csv(pa.table(plain), out, options)
