"""The rows of a source that is a table of a database, or what is new of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from features.config.sources import Source
from features.errors import SourceError
from features.intake.reading.databases.connecting import ROWS_AT_ONCE, Reader, reading
from features.intake.reading.raw_table import RawTable, as_text
from features.intake.reading.source_files import ReadAnew

Row = tuple[str | None, ...]
_KINDS: Mapping[str, Callable[[str], object]] = {
    "int": int,
    "float": float,
    "Decimal": Decimal,
    "datetime": datetime.fromisoformat,
    "date": date.fromisoformat,
}


@dataclass(frozen=True)
class Mark:
    """How far a database was read: its rows, the `value` (of a `kind`) of the largest watermark,
    None where none is stated, and a digest of the rows that have it, or of all.
    """

    rows: int
    kind: str
    value: str | None
    digest: str

    @property
    def stated(self) -> object:
        """The value as the database compares it."""
        if self.value is None:
            return None
        made = _KINDS.get(self.kind, str)
        return made(self.value)


class DatabaseTable:
    """Rows of a database as a file gives them: every cell is read as text, and rows are numbered
    from 1.
    """

    def __init__(self, source: Source, since: Mark | None = None) -> None:
        """Read the rows of `source`, or those that are newer than `since`.

        Raises `SourceError` where they cannot be read, and `ReadAnew` where rows that were read
        before are not as they were.
        """
        self._before = 0 if since is None else since.rows
        with reading(source) as reader:
            names, rows = self._rows(source, reader, since)
            self._cells, self.mark = _gathered(source, names, rows, since)
        self._lines = np.arange(self._before + 1, self._before + 1 + len(self), dtype=np.int64)

    def __len__(self) -> int:
        return len(next(iter(self._cells.values())))

    @property
    def types(self) -> dict[str, pa.DataType]:
        """Its columns; all are read as texts."""
        return dict.fromkeys(self._cells, pa.string())

    def read(self, columns: Collection[str]) -> RawTable:
        """Those columns."""
        return RawTable({name: self._cells[name] for name in columns}, self._lines)

    def raw(self, lines: Collection[int]) -> dict[int, str]:
        """What stands in those rows."""
        return {
            line: ",".join(
                str(cells[line - self._before - 1].as_py() or "") for cells in self._cells.values()
            )
            for line in lines
        }

    @staticmethod
    def _rows(
        source: Source, reader: Reader, since: Mark | None
    ) -> tuple[list[str], Iterator[Sequence[Any]]]:
        whole = _selected(source, reader.mark)
        known, _ = reader.rows(f"SELECT * FROM {whole} LIMIT 0", {})  # noqa: S608 - the owner's own
        wanted = [*dict.fromkeys(source.file_columns)]
        if source.watermark is not None and source.watermark not in wanted:
            wanted.append(source.watermark)
        if missing := [name for name in wanted if name not in known]:
            found = ", ".join(f"`{name}`" for name in known)
            raise SourceError(
                f"the source `{source.name}` has no column `{missing[0]}`; found are {found}."
                " Correct `columns` or `watermark` in sayso.toml, or the query",
                file=Path("sayso.toml"),
            )
        named = ", ".join(_quoted(name, reader.mark) for name in wanted)
        query = f"SELECT {named} FROM {whole}"  # noqa: S608 - the owner's own query
        if source.watermark is None:
            return reader.rows(query, {})
        mark = _quoted(source.watermark, reader.mark)
        if since is None or since.value is None:
            return reader.rows(f"{query} ORDER BY {mark}", {})
        asked = f"{query} WHERE {mark} >= :watermark ORDER BY {mark}"
        return reader.rows(asked, {"watermark": since.stated})


def _selected(source: Source, mark: str) -> str:
    if source.query is not None:
        return f"({source.query.strip().rstrip(';')}) AS source_rows"
    parts = (source.database_table or "").split(".")
    return ".".join(_quoted(part, mark) for part in parts)


def _quoted(name: str, mark: str) -> str:
    return f"{mark}{name.replace(mark, mark * 2)}{mark}"


def _without_watermark(source: Source) -> SourceError:
    return SourceError(
        f"the watermark `{source.watermark}` of the source `{source.name}` is empty in a row; name"
        " a column that every row has",
        file=Path("sayso.toml"),
    )


def _gathered(
    source: Source, names: list[str], rows: Iterator[Sequence[Any]], since: Mark | None
) -> tuple[dict[str, pa.Array[Any]], Mark]:
    """The cells of the rows that are new, by column, and how far the database was read."""
    marked = None if source.watermark is None else names.index(source.watermark)
    parts: dict[str, list[pa.Array[Any]]] = {name: [pa.array([], pa.string())] for name in names}
    digest, old, last, count = hashlib.sha256(), hashlib.sha256(), None, 0
    known = None if since is None or marked is None else since.value
    while some := list(islice(rows, ROWS_AT_ONCE)):
        fresh: list[Row] = []
        for row in some:
            if marked is not None and row[marked] is None:
                raise _without_watermark(source)
            texts = tuple(map(as_text, row))
            if known is not None and marked is not None and texts[marked] == known:
                old.update(repr(texts).encode())
                continue
            if marked is not None and row[marked] != last:
                digest, last = hashlib.sha256(), row[marked]
            digest.update(repr(texts).encode())
            fresh.append(texts)
        count += len(fresh)
        for position, name in enumerate(names):
            parts[name].append(pa.array([row[position] for row in fresh], pa.string()))
    if known is not None and since is not None and old.hexdigest() != since.digest:
        raise ReadAnew(f"rows of {source.name} changed that were read before")
    cells = {name: pa.concat_arrays(arrays) for name, arrays in parts.items()}
    if since is not None and not count and marked is not None:
        return cells, since
    before = 0 if since is None else since.rows
    return cells, Mark(before + count, type(last).__name__, as_text(last), digest.hexdigest())
