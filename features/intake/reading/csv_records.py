"""Records of a CSV file, each with the line on which it begins and what is wrong with its shape.

A quotation mark that is never closed would swallow the rows after it. So a record that does not fit
is given up after its first line, and reading goes on with the next one: one bad row costs one row.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from features.errors import SourceError

DELIMITERS = ",;\t|"
UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")


class Record(NamedTuple):
    """One row: `line` is the 1-based line on which it begins, `fault` says why its cells cannot be
    trusted (None: they can).
    """

    line: int
    cells: list[str]
    text: str
    fault: str | None


class CsvFile:
    """A CSV file in UTF-8.

    The delimiter is the one of comma, semicolon, tab and bar that is most frequent in its header.
    """

    def __init__(self, file: Path) -> None:
        """Read the header. Raises `SourceError` where there is none that can be used."""
        self.file = file
        try:
            with file.open("rb") as handle:
                mark = handle.read(2)
        except OSError as error:
            raise SourceError(
                f"the file cannot be opened ({error.strerror}); put it there and let Sayso read it",
                file=file,
            ) from None
        if mark in UTF_16_MARKS:
            raise SourceError("this is UTF-16; save it as CSV in UTF-8", file=file)
        header = next(self._text_lines(), "")
        self.delimiter = max(DELIMITERS, key=header.count)
        self.columns = [name.strip() for name in self._header()]
        self._check_header(header)

    def records(self) -> Iterator[Record]:
        """Every row after the header; blank lines at the end of the file are none.

        Raises `SourceError` where the file cannot be read.
        """
        held: list[Record] = []
        for record in self._all_records():
            held.append(record)
            if record.cells:
                yield from held
                held.clear()

    def _header(self) -> list[str]:
        try:
            return next(csv.reader(self._text_lines(), delimiter=self.delimiter, strict=True), [])
        except csv.Error as error:
            raise SourceError(
                f"the header cannot be read ({error}); write one column name a cell",
                file=self.file,
                line=1,
            ) from None

    def _check_header(self, header: str) -> None:
        if not header.strip():
            raise SourceError(
                "the file has no header; its first line must name the columns",
                file=self.file,
                line=1,
            )
        if not _is_utf8(header):
            raise SourceError(
                "the header is not UTF-8; save the file as CSV in UTF-8", file=self.file, line=1
            )

    def _text_lines(self) -> Iterator[str]:
        # bytes that are no UTF-8 become lone surrogates, so that they spoil their own row and not
        # the file
        with self.file.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as handle:
            yield from handle

    def _all_records(self) -> Iterator[Record]:
        lines = _Lines(self._text_lines())
        reader = csv.reader(lines, delimiter=self.delimiter, strict=True)
        next(reader)
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
        if not text.isascii() and not _is_utf8(text):
            return self._name_cell(
                cells,
                lambda cell: not _is_utf8(cell),
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


class _Lines:
    """Lines of the file; those that a record took wrongly can be read again."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = iter(lines)
        self._again: deque[str] = deque()
        self._before = 0
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


def printable(text: str) -> str:
    r"""`text` without its line end, with what is no character written as `\xff` and control
    characters as `\x00`.
    """
    utf8 = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(c if c >= " " or c in "\t\n\r" else f"\\x{ord(c):02x}" for c in utf8).rstrip(
        "\r\n"
    )


def _is_utf8(text: str) -> bool:
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
