"""The quick way through a CSV file: the lines of a block are cut into cells all at once, and only
those that hold a quotation mark or a byte that is no text are read one by one
(`features.intake.reading.csv_records`).

A line without quotation marks is a record with one cell more than it has delimiters. So which
lines are whole is counted over all bytes of a block.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from typing import IO, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv

from features.intake.reading.csv_records import Record

AT_ONCE = 1 << 24
NEWLINE, QUOTE, NUL = 0x0A, 0x22, 0x00
LONGEST_RECORD = 50
"""Lines after which a record that is not closed has lost a quotation mark."""
ILL_FORMED = re.compile("[\udc80-\udcff]")

Rows = NDArray[np.int64]
Cells = list[str]
OneByOne = Callable[[Sequence[str], int], Iterator[Record]]
"""Reads the records of some lines, which stand after so many others."""


@dataclass(frozen=True)
class Block:
    """Rows of some lines: `cells` by position, the `lines` on which they begin, and the lines that
    are no rows, with the reason.
    """

    cells: dict[int, pa.Array[Any]]
    lines: Rows
    misshapen: list[tuple[int, str]]


@dataclass(frozen=True)
class Shape:
    """How many `columns` a row has, what stands between them, and which positions are `wanted`."""

    columns: int
    delimiter: str
    wanted: tuple[int, ...]


def blocks(content: IO[bytes], before: int, shape: Shape, one_by_one: OneByOne) -> Iterator[Block]:
    """The rows of what is left of a file in UTF-8 after `before` lines of it; blank lines at its
    end are none.
    """
    text, following = content.read(AT_ONCE), content.read(AT_ONCE)
    while text:
        ends = len(text) if not following else text.rfind(b"\n") + 1
        part, rest = text[:ends], text[ends:]
        if not following and (part := part.rstrip(b"\r\n")):
            part += b"\n"
        if part:
            lines = _Lines(part, before)
            if following and (begin := lines.left_open()):
                part, rest = part[:begin], part[begin:] + rest
                lines = _Lines(part, before)
            yield lines.block(shape, one_by_one)
            before += lines.count
        text, following = rest + following, content.read(AT_ONCE)


def is_closed(text: bytes) -> bool:
    """Whether lines that follow `text`, the end of a file or all of it, are rows of their own
    whatever they hold: it ends with a whole line that is not blank, and no record may go on.
    """
    lines = text.split(b"\n")
    near = lines[-LONGEST_RECORD - 2 : -1]
    ended = len(lines) > 1 and not lines[-1] and bool(lines[-2].strip(b"\r"))
    return ended and all(line.count(b'"') % 2 == 0 for line in near)


class _Lines:
    """The lines of a block, which stand after `before` others."""

    def __init__(self, text: bytes, before: int) -> None:
        self._text = text
        self._before = before
        self._bytes = np.frombuffer(text, dtype=np.uint8)
        ends = np.flatnonzero(self._bytes == NEWLINE) + 1
        self._starts = np.append(0, ends[:-1])
        self._ends = ends
        self.count = len(ends)

    def left_open(self) -> int | None:
        """Where the last record begins that may go on after these lines."""
        odd = np.flatnonzero(self._quotes % 2)
        if not len(odd) or self.count - int(odd[-1]) > LONGEST_RECORD:
            return None
        apart = np.flatnonzero(np.diff(odd) > LONGEST_RECORD)
        return int(self._starts[odd[apart[-1] + 1] if len(apart) else odd[0]])

    def block(self, shape: Shape, one_by_one: OneByOne) -> Block:
        """The rows of the lines."""
        special = self._special()
        delimiters = self._count(ord(shape.delimiter))
        fits = ~special & (delimiters == shape.columns - 1)
        regions = list(self._regions(special))
        for begin, end in regions:
            fits[begin:end] = False
        misshapen = self._misshapen(fits, special, regions, delimiters, shape)
        quick = self._cut(fits, shape)
        slow, faults = self._read(regions, shape, one_by_one)
        return _joined(quick, np.flatnonzero(fits) + self._before + 1, slow, misshapen + faults)

    def _count(self, byte: int) -> Rows:
        """How often a byte stands in each line."""
        positions = np.flatnonzero(self._bytes == byte)
        found: Rows = np.diff(np.searchsorted(positions, self._ends), prepend=0)
        return found

    @cached_property
    def _quotes(self) -> Rows:
        return self._count(QUOTE)

    def _special(self) -> NDArray[np.bool_]:
        """Lines that have to be looked at one by one."""
        special = (self._quotes > 0) | (self._count(NUL) > 0)
        try:
            self._text.decode()
        except UnicodeDecodeError:
            beyond = np.flatnonzero(np.add.reduceat(self._bytes > 0x7F, self._starts) > 0)
            for at in beyond.tolist():
                special[at] |= not _is_text(self._text[self._starts[at] : self._ends[at]])
        return special

    def _regions(self, special: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
        """From where to where lines are read one by one: each special line, and all from one with
        a mark that it does not close to the last such line that is near.
        """
        together = special.copy()
        odd = np.flatnonzero(self._quotes % 2)
        if len(odd):
            begins = np.append(True, np.diff(odd) > LONGEST_RECORD)
            lasts = odd[np.append(begins[1:], True)]
            for begin, last in zip(odd[begins].tolist(), lasts.tolist(), strict=True):
                together[begin : last + 1] = True
        edges = np.diff(together.astype(np.int8), prepend=0, append=0)
        yield from zip(
            np.flatnonzero(edges == 1).tolist(), np.flatnonzero(edges == -1).tolist(), strict=True
        )

    def _misshapen(
        self,
        fits: NDArray[np.bool_],
        special: NDArray[np.bool_],
        regions: Sequence[tuple[int, int]],
        delimiters: Rows,
        shape: Shape,
    ) -> list[tuple[int, str]]:
        wrong = ~fits & ~special
        for begin, end in regions:
            wrong[begin:end] = False
        found = []
        for at in np.flatnonzero(wrong).tolist():
            empty = not self._text[self._starts[at] : self._ends[at]].strip(b"\r\n")
            cells = f"the row has {delimiters[at] + 1} cells and the header {shape.columns}"
            found.append((at + self._before + 1, "the line is empty" if empty else cells))
        return found

    def _cut(self, fits: NDArray[np.bool_], shape: Shape) -> dict[int, pa.Array[Any]]:
        """The wanted cells of the lines that fit."""
        if not fits.any():
            return {at: pa.array([], pa.string()) for at in shape.wanted}
        mask = np.repeat(fits, self._ends - self._starts)
        names = [str(at) for at in range(shape.columns)]
        wanted = [str(at) for at in shape.wanted]
        table = csv.read_csv(
            BytesIO(self._bytes[mask].tobytes()),
            csv.ReadOptions(column_names=names),
            csv.ParseOptions(delimiter=shape.delimiter, quote_char=False, ignore_empty_lines=False),
            csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                strings_can_be_null=False,
                include_columns=wanted,
            ),
        )
        return {at: table[str(at)].combine_chunks() for at in shape.wanted}

    def _read(
        self, regions: Sequence[tuple[int, int]], shape: Shape, one_by_one: OneByOne
    ) -> tuple[tuple[list[int], list[Cells]], list[tuple[int, str]]]:
        """The rows of the regions, read one by one, and those that are none."""
        lines, rows, faults = list[int](), list[Cells](), list[tuple[int, str]]()
        for begin, end in regions:
            raw = self._text[self._starts[begin] : self._ends[end - 1]]
            text = [f"{line}\n" for line in raw.decode("utf-8", "surrogateescape").split("\n")[:-1]]
            for record in one_by_one(text, self._before + begin):
                if record.fault is not None:
                    faults.append((record.line, record.fault))
                else:
                    lines.append(record.line)
                    rows.append([record.cells[at] for at in shape.wanted])
        return (lines, rows), faults


def _is_text(line: bytes) -> bool:
    return ILL_FORMED.search(line.decode("utf-8", "surrogateescape")) is None


def _joined(
    quick: dict[int, pa.Array[Any]],
    lines: Rows,
    slow: tuple[list[int], list[Cells]],
    misshapen: list[tuple[int, str]],
) -> Block:
    """Both kinds of rows, in the order of their lines."""
    if not slow[0]:
        return Block(quick, lines, sorted(misshapen))
    every = np.concatenate([lines, np.array(slow[0], dtype=np.int64)])
    order = np.argsort(every, kind="stable")
    cells = {}
    for position, (at, column) in enumerate(quick.items()):
        own = pa.array([row[position] for row in slow[1]], pa.string())
        cells[at] = pa.concat_arrays([column, own]).take(order)
    return Block(cells, np.sort(every, kind="stable"), sorted(misshapen))
