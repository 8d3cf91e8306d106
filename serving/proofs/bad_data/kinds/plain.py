"""CSV files that are bad as a whole, in their encoding, or in how they write money and dates."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from serving.proofs.bad_data.spoilt_load import (
    COLUMNS,
    EXPORTS,
    ROWS,
    SPOILT,
    Cell,
    ExportGroup,
    Spoilt,
    text_of,
    with_cells,
    writing,
)

FILE = "orders.csv"


WHOLE = text_of(ROWS).encode()
PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4


def _row(told: str, content: bytes) -> Spoilt:
    return Spoilt(writing(FILE, content), told, FILE, SPOILT + 2, row=SPOILT)


def _cell(told: str, **cells: Cell) -> Spoilt:
    return _row(told, text_of(with_cells(ROWS, **cells)).encode())


def _all(told: str, name: str, cell_of: Callable[[int], str]) -> Spoilt:
    """Other cells in all rows of a column."""
    at = COLUMNS.index(name)
    rows = [(*row[:at], cell_of(number), *row[at + 1 :]) for number, row in enumerate(ROWS)]
    return Spoilt(writing(FILE, text_of(rows).encode()), told, FILE)


def _refused(told: str, content: bytes, line: int | None = None) -> Spoilt:
    return Spoilt(writing(FILE, content), told, FILE, line)


def _a_folder(root: Path) -> None:
    (root / EXPORTS / FILE).unlink()
    (root / EXPORTS / FILE).mkdir()


UTF_16 = text_of(with_cells(ROWS, sku="p@@3")).encode("utf-16")
PLAIN = ExportGroup(
    {FILE: WHOLE},
    {
        "an empty file": _refused("has no header", b""),
        "a header and nothing below": _refused("no purchase is left", text_of([]).encode()),
        "a picture that is called CSV": _refused("this is no text", PICTURE),
        "a disk's zeros": _refused("this is no text", bytes(4096), 1),
        "a column twice in the header": _refused(
            "more than once", text_of([(*row, 1) for row in ROWS], (*COLUMNS, "units")).encode(), 1
        ),
        "a column that is gone": _refused(
            "the column `price` is missing", WHOLE.replace(b"price", b"cost")
        ),
        "a file that is gone": Spoilt(
            lambda root: (root / EXPORTS / FILE).unlink(), "no such file", FILE
        ),
        "a folder in place of a file": Spoilt(_a_folder, "no such file", FILE),
        "UTF-16 that lost a byte": Spoilt(
            writing(FILE, text_of(ROWS).encode("utf-16")[:-5]),
            "bytes that are no letter",
            FILE,
            len(ROWS) + 1,
            row=len(ROWS) - 1,
        ),
        "half a letter in UTF-16": _row(
            "bytes that are no letter",
            UTF_16.replace("@@".encode("utf-16-le"), b"\x00\xd8\x41\x00"),
        ),
        "dollars among euros, of which no rate is known": _refused(
            "1 in USD", text_of(with_cells(ROWS, price="3.50 USD")).encode()
        ),
        "a share for a price": _cell("price is '12 %', which is no number", price="12 %"),
        "a formula for a price": _cell("price is '=2*3', which is no number", price="=2*3"),
        "dates of which no one can tell day from month": _all(
            "state `date_format", "day", lambda number: f"0{number + 1}/02/2024"
        ),
        "a day with a time of its own beside it": _cell(
            "which is no date", day="2024-01-03 10:30 or later"
        ),
    },
)
