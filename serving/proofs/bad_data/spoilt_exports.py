"""Exports of orders with corrupt rows planted in them, and the same exports as they should have
been.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product

from serving.proofs.bad_data.corrupt_rows import HEADER, KINDS, Dialect, Row

DIALECTS = tuple(
    Dialect(delimiter, newline, mark)
    for newline, mark, delimiter in product(("\n", "\r\n"), (False, True), (",", ";", "\t", "|"))
)
PLACES = ("first", "amid", "last")
TITLES = (
    "Blue mug",
    'A "large" mug',
    "Mug, cup; spoon",
    "Caf\u00e9 | \u65e5\u672c",
    "Mug\nwith a line break",
    "\U0001f375 mug",
)
RETURN = Row("c9", "A0", "p0", "2024-01-09", "-1", "3.50", TITLES[0])
NOBODY = Row("", "A00", "p0", "2024-01-09", "1", "3.50", TITLES[0])
SET_ASIDE = {"return": RETURN, "no_customer": NOBODY}
"""A row of each rule that sets rows aside here; every file has both."""


@dataclass(frozen=True)
class Planted:
    """A corrupt row: where it begins, what it is, and the good row that it was."""

    file: str
    line: int
    kind: str
    was: Row

    @property
    def told(self) -> str:
        """What its rejection has to say."""
        return KINDS[self.kind].told


@dataclass
class Export:
    """One file: its bytes with corrupt rows in them and without, the good rows, and what was
    planted.
    """

    name: str
    dialect: Dialect
    good: list[Row] = field(default_factory=list)
    planted: list[Planted] = field(default_factory=list)
    spoilt: bytes = b""
    mended: bytes = b""

    def __post_init__(self) -> None:
        """Begin with the header."""
        mark = codecs.BOM_UTF8 if self.dialect.byte_order_mark else b""
        self._add(mark + self._line(HEADER))
        for row in SET_ASIDE.values():
            self._add(self._line(row))

    def keep(self, row: Row) -> None:
        """Add a good row."""
        self.good.append(row)
        self._add(self._line(row))

    def plant(self, name: str, row: Row) -> None:
        """Add a corrupt row in place of `row`."""
        self.planted.append(Planted(self.name, self.spoilt.count(b"\n") + 1, name, row))
        self._add(
            KINDS[name].spoil(row, self.dialect) + self.dialect.newline.encode(), self._line(row)
        )

    def _line(self, row: Row) -> bytes:
        return (self.dialect.text(row) + self.dialect.newline).encode()

    def _add(self, spoilt: bytes, mended: bytes | None = None) -> None:
        self.spoilt += spoilt
        self.mended += spoilt if mended is None else mended


def exports(dialect: Dialect, places: Sequence[str] = PLACES) -> list[Export]:
    """A file for each kind at each place, and one in which all kinds stand together."""
    rows = _rows()
    alone = [
        _alone(dialect, name, place, rows)
        for name in KINDS
        for place in places
        if KINDS[name].may_end or place != "last"
    ]
    together = Export("orders-together.csv", dialect)
    for name in KINDS:
        together.plant(name, _plain(next(rows)))
        together.keep(next(rows))
    return [*alone, together]


def _alone(dialect: Dialect, name: str, place: str, rows: Iterator[Row]) -> Export:
    export = Export(f"orders-{name.replace(' ', '-')}-{place}.csv", dialect)
    for position in range(5):
        if position == {"first": 0, "amid": 2, "last": 4}[place]:
            export.plant(name, _plain(next(rows)))
        else:
            export.keep(next(rows))
    return export


def _rows() -> Iterator[Row]:
    """Good rows without end, no two of them alike."""
    number = 0
    while True:
        number += 1
        sort = number % len(TITLES)
        day = f"2024-{number % 12 + 1:02}-{number % 28 + 1:02}" + (
            "" if number % 3 else f"T{number % 24:02}:30:00"
        )
        yield Row(
            f"c{number % 40}",
            f"A{number}",
            f"p{sort}",
            day,
            str(number % 9 + 1),
            f"{number % 50 + 0.25:.2f}",
            TITLES[sort],
        )


def _plain(row: Row) -> Row:
    """The row with a title that needs no quotation marks, so that only the planted fault is in
    it.
    """
    return Row(row.client, row.order, "large", row.day, row.units, row.price, "Large mug")
