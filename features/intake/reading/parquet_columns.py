"""Parquet files, whatever the types of their columns: only those that are needed are read."""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from features.errors import SourceError
from features.intake.reading.containers import open_bytes
from features.intake.reading.raw_table import RawTable, as_text

ENDINGS = (".parquet", ".pq")


class ParquetFile:
    """A Parquet file."""

    def __init__(self, file: Path) -> None:
        """Raise `SourceError` where it cannot be read."""
        self.file = file
        try:
            self._opened = pq.ParquetFile(file if file.is_file() else open_bytes(file))
            schema = self._opened.schema_arrow
        except (pa.ArrowException, OSError) as error:
            raise SourceError(
                f"this is no Parquet file that can be read ({error}); export it again", file=file
            ) from None
        self.types: dict[str, pa.DataType] = {
            name: _told(kind) for name, kind in zip(schema.names, schema.types, strict=True)
        }

    def read(self, columns: Collection[str]) -> RawTable:
        """Those columns, each in one piece and of a plain type."""
        try:
            table = self._opened.read(columns=list(columns))
            table.validate(full=True)
        except (pa.ArrowException, OSError) as error:
            raise SourceError(
                f"this Parquet file is damaged ({error}); export it again", file=self.file
            ) from None
        cells = {name: _plain(table[name]) for name in columns}
        return RawTable(cells, np.arange(1, table.num_rows + 1, dtype="int64"))

    def raw(self, lines: Collection[int]) -> dict[int, str]:
        """The rows as JSON objects."""
        wanted = sorted(lines)
        rows = self._opened.read().take(pa.array([line - 1 for line in wanted], pa.int64()))
        return {
            line: json.dumps(row, default=str, ensure_ascii=False)
            for line, row in zip(wanted, rows.to_pylist(), strict=True)
        }


def _told(kind: pa.DataType) -> pa.DataType:
    """The plain type in which a column is handed out."""
    if isinstance(kind, pa.BaseExtensionType):
        return pa.string() if _is_uuid(kind) else _told(kind.storage_type)
    if pa.types.is_dictionary(kind):
        return _told(kind.value_type)
    if pa.types.is_float16(kind):
        return pa.float64()
    if _is_text(kind) or _becomes_text(kind):
        return pa.string()
    return kind


def _plain(column: pa.ChunkedArray[Any]) -> pa.Array[Any]:
    """A column in one piece and in the type that `_told` says."""
    kind = column.type
    if isinstance(kind, pa.BaseExtensionType):
        chunks: list[Any] = column.chunks
        parts = [chunk.storage for chunk in chunks]
        storage: Any = kind.storage_type
        stored = pa.chunked_array(parts, storage)
        return _uuids(stored) if _is_uuid(kind) else _plain(stored)
    if pa.types.is_dictionary(kind):
        return _plain(column.cast(kind.value_type))
    if _becomes_text(kind):
        return pa.array([_text(value) for value in column.to_pylist()], pa.string())
    wanted = _told(kind)
    whole = column if kind == wanted else column.cast(wanted)
    found: pa.Array[Any] = whole.combine_chunks()
    return found


def _is_text(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    )


def _becomes_text(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_binary_view(kind)
        or pa.types.is_fixed_size_binary(kind)
        or pa.types.is_time(kind)
        or pa.types.is_duration(kind)
        or pa.types.is_interval(kind)
    )


def _is_uuid(kind: pa.BaseExtensionType) -> bool:
    return kind.extension_name == "arrow.uuid"


def _uuids(stored: pa.ChunkedArray[Any]) -> pa.Array[Any]:
    values = (None if raw is None else str(uuid.UUID(bytes=raw)) for raw in stored.to_pylist())
    return pa.array(list(values), pa.string())


def _text(value: object) -> str | None:
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return value.hex()
    return as_text(value)
