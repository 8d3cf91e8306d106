"""Excel files (`.xlsx`, `.xls`, `.ods`): the first sheet that holds a table."""

from __future__ import annotations

import html
import json
import posixpath
import re
import zipfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property, reduce
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
from python_calamine import CalamineError, CalamineWorkbook, SheetVisibleEnum

from features.errors import SourceError
from features.intake.reading.containers import open_bytes
from features.intake.reading.raw_table import (
    ROWS_BELOW,
    RawTable,
    as_text,
    is_title,
    require_once,
    text_table,
)

ENDINGS = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")
WORKBOOK, RELATED = "xl/workbook.xml", "xl/_rels/workbook.xml.rels"
RELATIONSHIP = re.compile(r"<(?:\w+:)?Relationship\s([^>]*)>")
SHEET, ATTRIBUTE = re.compile(r"<(?:\w+:)?sheet\s([^>]*)>"), re.compile(r'([\w:]+)="([^"]*)"')
FAILED = re.compile(rb'<(?:\w+:)?c\s([^>]*\bt="e"[^>]*)>(.*?)</(?:\w+:)?c>', re.DOTALL)
PLACE, VALUE = re.compile(rb'\br="([A-Z]+)([0-9]+)"'), re.compile(rb"<(?:\w+:)?v>([^<]*)<")

Row = tuple[str | None, ...]


class ExcelFile:
    """The first visible sheet with at least two rows; titles above its header are passed over."""

    def __init__(self, file: Path) -> None:
        """Raise `SourceError` where the file is damaged or locked, or no sheet holds a table."""
        self.file = file
        with open_bytes(file) as opened:
            content = opened.read()
        try:
            book = CalamineWorkbook.from_filelike(BytesIO(content))
            failed = _failed(content)
            sheets = [
                _with_errors(
                    book.get_sheet_by_name(sheet.name).to_python(skip_empty_area=False),
                    failed.get(sheet.name, {}),
                )
                for sheet in book.sheets_metadata
                if sheet.visible is SheetVisibleEnum.Visible
            ]
        except (CalamineError, OSError) as error:
            raise SourceError(
                f"this is no Excel file that can be read ({error}); remove its password, or save"
                " it as CSV in UTF-8",
                file=file,
            ) from None
        filled = [_texts(sheet) for sheet in sheets]
        self._rows = next((rows for rows in filled if sum(map(any, rows)) > 1), [])
        if not self._rows:
            raise SourceError(
                "no sheet of the file has a header and rows below it; put the table on the first"
                " sheet",
                file=file,
            )

    @cached_property
    def _header(self) -> int:
        """Position of the first row that is neither empty nor a title."""
        counts = [sum(cell is not None for cell in row) for row in self._rows]
        filled = [at for at, count in enumerate(counts) if count]
        below = [counts[at] for at in filled]
        return next(
            at
            for position, at in enumerate(filled)
            if not is_title(counts[at], below[position + 1 : position + 1 + ROWS_BELOW])
        )

    @cached_property
    def _names(self) -> list[str]:
        return [(name or "").strip() for name in self._rows[self._header]]

    @property
    def types(self) -> dict[str, pa.DataType]:
        """Its columns; every cell is read as text."""
        return dict.fromkeys((name for name in self._names if name), pa.string())

    def read(self, columns: Collection[str]) -> RawTable:
        """Those columns; rows that are empty as a whole are none."""
        require_once(self._names, columns, self.file, self._header + 1)
        positions = {name: self._names.index(name) for name in columns}
        numbered = list(enumerate(self._rows, start=1))[self._header + 1 :]
        rows = [(line, row) for line, row in numbered if any(row)]
        return text_table(
            list(positions),
            ([row[at] for at in positions.values()] for _, row in rows),
            [line for line, _ in rows],
        )

    def raw(self, lines: Collection[int]) -> dict[int, str]:
        """The rows as JSON objects."""
        return {
            line: json.dumps(
                dict(zip(self._names, self._rows[line - 1], strict=True)),
                ensure_ascii=False,
            )
            for line in lines
        }


def _failed(content: bytes) -> dict[str, dict[tuple[int, int], str]]:
    """Cells of formulas that failed (row and column from 0) and what stands there, such as
    `#REF!`, by sheet: the reader of workbooks gives them as empty.

    Older kinds of workbooks do not show them.
    """
    if not zipfile.is_zipfile(BytesIO(content)):
        return {}
    found: dict[str, dict[tuple[int, int], str]] = {}
    with zipfile.ZipFile(BytesIO(content)) as parts:
        there = {*parts.namelist()}
        if not {WORKBOOK, RELATED} <= there:
            return {}
        files = {
            one["Id"]: posixpath.join("/xl", one["Target"]).lstrip("/")
            for one in _elements(parts.read(RELATED), RELATIONSHIP)
        }
        for sheet in _elements(parts.read(WORKBOOK), SHEET):
            if (file := files.get(sheet.get("id", ""), "")) in there:
                found[sheet["name"]] = dict(_errors_in(parts.read(file)))
    return found


def _elements(part: bytes, element: re.Pattern[str]) -> Iterator[dict[str, str]]:
    """The attributes of each `element` of a part, without prefixes."""
    for found in element.finditer(part.decode("utf-8", "replace")):
        yield {
            name.rpartition(":")[2]: html.unescape(value)
            for name, value in ATTRIBUTE.findall(found[1])
        }


def _errors_in(sheet: bytes) -> Iterator[tuple[tuple[int, int], str]]:
    for cell in FAILED.finditer(sheet):
        place, value = PLACE.search(cell[1]), VALUE.search(cell[2])
        if place is not None:
            column = reduce(lambda total, letter: total * 26 + letter - 64, place[1], 0) - 1
            yield (int(place[2]) - 1, column), "#N/A" if value is None else value[1].decode()


def _with_errors(rows: list[list[Any]], errors: Mapping[tuple[int, int], str]) -> list[list[Any]]:
    """The rows of a sheet with what stands in cells that failed."""
    for (row, column), text in errors.items():
        if row < len(rows) and column < len(rows[row]):
            rows[row][column] = text
    return rows


def _texts(rows: Sequence[Sequence[object]]) -> list[Row]:
    return [tuple(as_text(cell) or None for cell in row) for row in rows]
