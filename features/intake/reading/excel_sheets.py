"""Excel files (`.xlsx`, `.xls`, `.ods`): the first sheet that holds a table."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from functools import cached_property
from io import BytesIO
from pathlib import Path

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

Row = tuple[str | None, ...]


class ExcelFile:
    """The first visible sheet with at least two rows; titles above its header are passed over."""

    def __init__(self, file: Path) -> None:
        """Raise `SourceError` where the file is damaged or locked, or no sheet holds a table."""
        self.file = file
        try:
            with open_bytes(file) as content:
                book = CalamineWorkbook.from_filelike(BytesIO(content.read()))
            sheets = [
                book.get_sheet_by_name(sheet.name).to_python(skip_empty_area=False)
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


def _texts(rows: Sequence[Sequence[object]]) -> list[Row]:
    return [tuple(as_text(cell) or None for cell in row) for row in rows]
