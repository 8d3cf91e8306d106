"""Excel files."""

from __future__ import annotations

from serving.proofs.bad_data.spoilt_load import (
    ROWS,
    SPOILT,
    Cell,
    ExportGroup,
    Spoilt,
    with_cells,
    writing,
)
from serving.proofs.bad_data.workbook import workbook

FILE = "orders.xlsx"
GOOD = workbook(ROWS)
LOCKED = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504)
"""The beginning of what a workbook with a password, or of before 2007, lies in."""


def _cell(told: str, **cells: Cell) -> Spoilt:
    """Another cell in one row."""
    return Spoilt(
        writing(FILE, workbook(with_cells(ROWS, **cells))), told, FILE, SPOILT + 2, row=SPOILT
    )


def _whole(told: str, content: bytes) -> Spoilt:
    return Spoilt(writing(FILE, content), told, FILE)


EXCEL = ExportGroup(
    {FILE: GOOD},
    {
        "a formula that failed, in Excel": _cell(
            "which is an error of a spreadsheet", order="#REF!"
        ),
        "a yes for a quantity, in Excel": _cell("units is 'true', which is no number", units=True),
        "a date that Excel left a number": _cell("day is '45294', which is no date", day=45294),
        "half a unit, in Excel": _cell("units is '2.5', which is not a whole number", units=2.5),
        "an id that Excel rounded": _cell("which a spreadsheet has rounded", sku=4.71e21),
        "a cell of Excel that is empty": _cell("sku is empty", sku=None),
        "a web page that is called Excel": _whole(
            "no Excel file", b"<html><table><tr><td>client</td></tr></table></html>"
        ),
        "an Excel file cut off": _whole("no Excel file", GOOD[: len(GOOD) // 2]),
        "a locked Excel file": _whole("no Excel file", LOCKED),
        "an Excel file without rows": _whole("no sheet of the file has a header", workbook([])),
    },
)
