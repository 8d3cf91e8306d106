"""Records of a CSV file, each with the line on which it begins and what is wrong with its shape.

A quotation mark that is never closed would swallow the rows after it. So a record that does not fit
is given up after its first line, and reading goes on with the next one: one bad row costs one row.
"""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from io import TextIOWrapper
from itertools import islice
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np

from features.errors import SourceError
from features.intake.reading.containers import open_bytes
from features.intake.reading.encodings import UTF_8, encoding_of
from features.intake.reading.raw_table import is_title

DELIMITERS = ",;\t|"
EXCEL_DELIMITER = re.compile('"?sep=(.)"?', re.IGNORECASE)
LOOKED_AT = 100
BINARY = [chr(code) for code in (*range(9), *range(14, 32))]
"""Signs that no header holds and other kinds of files do."""
HALF = re.compile("[\ud800-\udbff\udc00-\udc7f]")
"""Halves of letters that a text in JSON may name, and that stand for no byte."""
LOST = "\N{REPLACEMENT CHARACTER}"
"""What stands for bytes that are no letter."""
AT_ONCE, NEWLINE = 1 << 22, 0x0A


class Record(NamedTuple):
    """One row: `line` is the 1-based line on which it begins, `fault` says why its cells cannot be
    trusted (None: they can).
    """

    line: int
    cells: list[str]
    text: str
    fault: str | None


class CsvFile:
    """A CSV file, also packed (`.gz`, in a `.zip`), in UTF-8, UTF-16 or Windows' encoding.

    The delimiter is the one of comma, semicolon, tab and bar that is most frequent in its header,
    unless Excel's line `sep=;` names another. `header_line` (from 1) is where the header stands:
    below that line, blank lines, and titles of a report, which fill at most half as many cells as
    the rows do.
    """

    def __init__(self, file: Path, begin: int = 0) -> None:
        """Read the header, and of a file that was read before the encoding of what follows where it
        went on to. Raises `SourceError` where there is none that can be used.
        """
        self.file = file
        self._encoding = encoding_of(file, begin)
        header, self.delimiter, self.header_line = _header_of(self._begin())
        if header is None:
            raise SourceError(
                "the file has no header; its first line must name the columns",
                file=self.file,
                line=1,
            )
        if any(sign in header for sign in BINARY):
            raise SourceError(
                "this is no text, and so no CSV file; export it again",
                file=self.file,
                line=self.header_line,
            )
        self.columns = [name.strip() for name in self._header()]
        if not is_utf_8(header):
            raise SourceError(
                "the header is not UTF-8; save the file as CSV in UTF-8",
                file=self.file,
                line=self.header_line,
            )

    def records(self) -> Iterator[Record]:
        """Every row after the header; blank lines at the end of the file are none.

        Raises `SourceError` where the file cannot be read.
        """
        held: list[Record] = []
        above = self.header_line - 1
        lines = islice(self._text_lines(), above, None)
        for record in islice(self.of_lines(lines, above), 1, None):
            held.append(record)
            if record.cells:
                yield from held
                held.clear()

    def _begin(self) -> list[str]:
        try:
            return list(islice(self._text_lines(), LOOKED_AT))
        except UnicodeError:
            raise SourceError(
                "the file's text cannot be read; save it as CSV in UTF-8", file=self.file
            ) from None

    def _header(self) -> list[str]:
        lines = islice(self._text_lines(), self.header_line - 1, None)
        try:
            return next(csv.reader(lines, delimiter=self.delimiter, strict=True), [])
        except csv.Error as error:
            raise SourceError(
                f"the header cannot be read ({error}); write one column name a cell",
                file=self.file,
                line=self.header_line,
            ) from None

    def _text_lines(self, begin: int = 0) -> Iterator[str]:
        # bytes that are no UTF-8 become lone surrogates, so that they spoil their own row and not
        # the file
        errors = "surrogateescape" if self._encoding == UTF_8 else "replace"
        content = open_bytes(self.file)
        content.seek(begin)
        with TextIOWrapper(content, self._encoding, errors, newline="") as lines:
            yield from lines

    @property
    def encoding(self) -> str:
        """Its encoding, as Python names it."""
        return self._encoding

    @property
    def is_utf_8(self) -> bool:
        """Whether the file is in UTF-8."""
        return self._encoding == UTF_8

    def text_at(self, wanted: Collection[int], after: int = 0, begin: int = 0) -> dict[int, str]:
        """What stands on some lines, which is where records begin; none is sought before the byte
        `begin`, after so many lines.
        """
        if self.is_utf_8:
            with open_bytes(self.file) as content:
                content.seek(begin)
                found = dict(lines_at(content, sorted(wanted), after))
            return {line: printable(_as_text(text)) for line, text in found.items()}
        last = max(wanted, default=0)
        lines = islice(self._text_lines(begin), max(0, last - after))
        return {
            line: printable(text)
            for line, text in enumerate(lines, start=after + 1)
            if line in wanted
        }

    def of_lines(self, content: Iterable[str], before: int) -> Iterator[Record]:
        """The records of some lines, which stand after `before` others."""
        lines = _Lines(content, before)
        reader = csv.reader(lines, delimiter=self.delimiter, strict=True)
        while True:
            line = lines.next_record()
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                lines.keep_first()
                yield Record(line, [lines.text], lines.text, _quoting(error))
                continue
            fault = self._fault(cells, lines)
            if fault is not None:
                lines.keep_first()
            yield Record(line, cells, lines.text, fault)

    def _fault(self, cells: list[str], lines: _Lines) -> str | None:
        if len(cells) != len(self.columns):
            return (
                f"the row has {len(cells)} cells and the header {len(self.columns)}"
                if cells
                else "the line is empty"
            )
        if len(lines.taken) > 1 and any(self._is_whole_row(line) for line in lines.taken[1:]):
            return (
                "a quotation mark opens here and closes in a later line that looks like a row of"
                " its own"
            )
        text = lines.text
        if "\0" in text:
            return self._name_cell(cells, lambda cell: "\0" in cell, "a NUL byte")
        if LOST in text and not self.is_utf_8:
            return self._name_cell(
                cells, lambda cell: LOST in cell, "bytes that are no letter; export the file again"
            )
        if not text.isascii() and not is_utf_8(text):
            return self._name_cell(
                cells,
                lambda cell: not is_utf_8(cell),
                "bytes that are not UTF-8; save the file as CSV in UTF-8",
            )
        return None

    def _is_whole_row(self, line: str) -> bool:
        try:
            return len(next(csv.reader([line], delimiter=self.delimiter, strict=True), [])) == len(
                self.columns
            )
        except csv.Error:
            return False

    def _name_cell(self, cells: list[str], is_bad: Callable[[str], bool], what: str) -> str:
        column, cell = next(
            (column, cell) for column, cell in zip(self.columns, cells, strict=True) if is_bad(cell)
        )
        return f"{column} is '{printable(cell)}', which holds {what}"


def lines_at(content: IO[bytes], wanted: Sequence[int], after: int) -> Iterator[tuple[int, bytes]]:
    """Some lines, in their order, of what is left of a file after so many others."""
    at, before, rest = 0, after, b""
    while at < len(wanted) and (block := content.read(AT_ONCE)):
        text = rest + block
        ends = np.flatnonzero(np.frombuffer(text, dtype=np.uint8) == NEWLINE) + 1
        while at < len(wanted) and wanted[at] <= before + len(ends):
            number = wanted[at] - before - 1
            yield wanted[at], text[ends[number - 1] if number else 0 : ends[number]]
            at += 1
        before, rest = before + len(ends), text[ends[-1] :] if len(ends) else text
    if at < len(wanted) and wanted[at] == before + 1 and rest:
        yield wanted[at], rest


def _as_text(line: bytes) -> str:
    return line.decode("utf-8", "surrogateescape").removeprefix("\ufeff")


class _Lines:
    """Lines of the file; those that a record took wrongly can be read again."""

    def __init__(self, lines: Iterable[str], before: int) -> None:
        self._lines = iter(lines)
        self._again: deque[str] = deque()
        self._before = before
        self.taken: list[str] = []

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else next(self._lines)
        self.taken.append(line)
        return line

    @property
    def text(self) -> str:
        """What the record was read from."""
        return "".join(self.taken)

    def next_record(self) -> int:
        """Begin a record; returns its line."""
        self._before += len(self.taken)
        self.taken = []
        return self._before + 1

    def keep_first(self) -> None:
        """Leave the record's first line to it and read the others again."""
        self._again.extendleft(reversed(self.taken[1:]))
        del self.taken[1:]


def _header_of(begin: Sequence[str]) -> tuple[str | None, str, int]:
    """The header among the first lines of a file (None: there is none), the delimiter, and the
    header's line from 1.
    """
    stated = EXCEL_DELIMITER.fullmatch(begin[0].strip()) if begin else None
    delimiters = stated[1] if stated else DELIMITERS
    first = 1 if stated else 0
    filled = [at for at in range(first, len(begin)) if begin[at].strip(" \t\r\n,;|")]
    for position, at in enumerate(filled):
        line = begin[at]
        delimiter = max(delimiters, key=line.count)
        below = [begin[other] for other in filled[position + 1 :]]
        if not _is_title(line, delimiter, below, delimiters):
            return line, delimiter, at + 1
    return None, delimiters[0], 1


def _is_title(line: str, delimiter: str, below: Sequence[str], delimiters: str) -> bool:
    """Whether a line fills at most half as many cells as the lines `below` it have."""
    cells = sum(bool(cell.strip(' "\r\n')) for cell in line.split(delimiter))
    widths = [_width(row, delimiter if delimiter in line else delimiters) for row in below]
    return is_title(cells, widths)


def _width(row: str, delimiters: str) -> int:
    """Cells of a row, whatever stands within quotation marks."""
    outside = re.sub('"[^"]*"', "", row)
    return max(outside.count(each) for each in delimiters) + 1


def printable(text: str) -> str:
    r"""`text` without its line end, with what is no character written as `\xff` and control
    characters as `\x00`.
    """
    whole = HALF.sub(lambda half: f"\\u{ord(half[0]):04x}", text)
    utf8 = whole.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(c if c >= " " or c in "\t\n\r" else f"\\x{ord(c):02x}" for c in utf8).rstrip(
        "\r\n"
    )


def is_utf_8(text: str) -> bool:
    """Whether a text can be written; bytes that were none became lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _quoting(error: csv.Error) -> str:
    if "expected after" in str(error):
        return (
            "a cell goes on after its closing quotation mark; write a quotation mark inside a"
            " quoted cell twice"
        )
    return "a quotation mark opens a cell and nothing closes it"
