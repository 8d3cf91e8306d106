"""Fifty ways in which a row of an export goes bad, each spoiling a good row and known by what its
rejection has to say.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from dataclasses import astuple, dataclass, replace
from typing import Any


@dataclass(frozen=True)
class Row:
    """A good order line, its cells as the shop writes them."""

    client: str
    order: str
    sku: str
    day: str
    units: str
    price: str
    name: str


HEADER = Row("client", "order", "sku", "day", "units", "price", "name")


@dataclass(frozen=True)
class Dialect:
    """How a file is written."""

    delimiter: str
    newline: str
    byte_order_mark: bool

    def text(self, row: Row) -> str:
        """The row without its line end."""
        line = io.StringIO()
        csv.writer(line, delimiter=self.delimiter, lineterminator="\r\n").writerow(astuple(row))
        return line.getvalue().removesuffix("\r\n")


Spoil = Callable[[Row, Dialect], bytes]


@dataclass(frozen=True)
class Kind:
    """One way to go bad.

    `told` stands in the reason. `may_end` tells that the row counts as one at the end of a file
    too.
    """

    spoil: Spoil
    told: str
    may_end: bool = True


def _cell(told: str, **cells: str) -> Kind:
    """Other text in a cell."""
    changes: Mapping[str, Any] = cells
    return Kind(lambda row, dialect: dialect.text(replace(row, **changes)).encode(), told)


def _end(told: str, ending: bytes) -> Kind:
    """Bytes after the last cell, which is the title."""
    return Kind(lambda row, dialect: dialect.text(row).encode() + ending, told)


def _whole(told: str, spoil: Callable[[str, str], str], *, may_end: bool = True) -> Kind:
    """Another text of the whole row, made from that text and the mark between its cells."""
    return Kind(
        lambda row, dialect: spoil(dialect.text(row), dialect.delimiter).encode(), told, may_end
    )


def _other_delimiter(row: Row, dialect: Dialect) -> bytes:
    return ("," if dialect.delimiter != "," else ";").join(astuple(row)).encode()


SHAPE = {
    "an empty line": _whole("the line is empty", lambda _text, _mark: "", may_end=False),
    "a cell too few": _whole(
        "6 cells and the header 7", lambda text, mark: text.rpartition(mark)[0]
    ),
    "a cell too many": _whole("8 cells and the header 7", lambda text, mark: f"{text}{mark}extra"),
    "another delimiter": Kind(_other_delimiter, "1 cells and the header 7"),
    "two rows in one line": _whole("13 cells and the header 7", lambda text, _mark: text + text),
    "a row cut off": _whole(
        "4 cells and the header 7", lambda text, mark: mark.join(text.split(mark)[:4])
    ),
    "a quotation mark that nothing closes": _whole(
        "quotation mark", lambda text, mark: f'{mark}"'.join(text.rsplit(mark, 1))
    ),
    "text after a closing quotation mark": _whole(
        "quotation mark", lambda text, mark: f'{mark}"Big" '.join(text.rsplit(mark, 1))
    ),
    "a quotation mark that reaches into later rows": _whole(
        "quotation mark", lambda text, mark: text.replace(mark, f'{mark}"', 1)
    ),
    "the header again": Kind(lambda _row, dialect: dialect.text(HEADER).encode(), "day is 'day'"),
}
ENCODING = {
    "Latin-1 beside UTF-8": _end(
        "name is 'Large mug\\xfcü', which holds bytes that are not UTF-8", b"\xfc\xc3\xbc"
    ),
    "a character cut in half": _end("bytes that are not UTF-8", b"\xc3"),
    "a surrogate": _end("bytes that are not UTF-8", b"\xed\xa0\x80"),
    "UTF-16": Kind(lambda row, dialect: dialect.text(row).encode("utf-16-le"), "NUL byte"),
    "a NUL in an id": _cell("order is 'A\\x001', which holds a NUL byte", order="A\x001"),
    "a NUL in a title": _end("holds a NUL byte", b"\x00"),
}
UNSEEN = {
    "a control character in an id": _cell("sku is", sku="p\x071"),
    "a control character in a title": _end("name is", b"\x1b"),
    "a space without width": _cell("cannot be seen", sku="p\u200b1"),
    "a change of direction": _cell("client is", client="c1\u202e"),
    "a character that was lost": _cell("was lost", sku="p\ufffd1"),
    "a line break in an id": _cell("order is", order="A\n1"),
}
ABSENT = {
    "no order": _cell("order is empty", order=""),
    "no product": _cell("sku is empty", sku="  "),
    "no date": _cell("day is empty", day=""),
    "no quantity": _cell("units is empty", units=""),
    "no price": _cell("price is empty", price=""),
    "NULL for a customer": _cell("client is 'NULL', which stands for nothing", client="NULL"),
    "nan for a customer": _cell("client is 'nan', which stands for nothing", client="nan"),
}
IDS = {
    "an error of a spreadsheet": _cell(
        "order is '#REF!', which is an error of a spreadsheet", order="#REF!"
    ),
    "an id rounded by a spreadsheet": _cell(
        "sku is '4.71E+12', which a spreadsheet has rounded", sku="4.71E+12"
    ),
    "an endless id": _cell("longer than 200 characters", order="A" * 500),
    "an endless title": _cell("longer than 2000 characters", name="mug " * 1_000),
}
DATES = {
    "a word for a date": _cell("day is 'yesterday', which is no date", day="yesterday"),
    "another date format": _cell("day is '05/01/2024', which is no date", day="05/01/2024"),
    "a day that its month has not": _cell(
        "day is '2024-02-30', which is no date", day="2024-02-30"
    ),
    "a thirteenth month": _cell("day is '2024-13-01', which is no date", day="2024-13-01"),
    "an hour that no day has": _cell(
        "day is '2024-01-05 25:00:00', which is no date", day="2024-01-05 25:00:00"
    ),
    "seconds since 1970": _cell("day is '1704448800', which is no date", day="1704448800"),
    "a date in the future": _cell(
        "day is '2099-01-05', which lies in the future", day="2099-01-05"
    ),
    "the zero of a clock": _cell("day is '1970-01-01', which is before 1971", day="1970-01-01"),
}
NUMBERS = {
    "a word for a quantity": _cell("units is 'two', which is no number", units="two"),
    "half a unit": _cell("units is '2.5', which is not a whole number", units="2.5"),
    "a quantity in hexadecimal": _cell("units is '0x10', which is no number", units="0x10"),
    "an endless quantity": _cell("units is 'inf', which is no number", units="inf"),
    "a quantity of zero": _cell("units is 0, which is no purchase", units="0"),
    "two currency signs": _cell("price is '$3.50 €', which is no number", price="$3.50 €"),
    "a price that is not a number": _cell("price is 'NaN', which is no number", price="NaN"),
    "thousands of two digits": _cell("price is '12,34.50', which is no number", price="12,34.50"),
    "a negative price": _cell("price is -3.5, which is negative", price="-3.50"),
}
KINDS: Mapping[str, Kind] = {**SHAPE, **ENCODING, **UNSEEN, **ABSENT, **IDS, **DATES, **NUMBERS}
