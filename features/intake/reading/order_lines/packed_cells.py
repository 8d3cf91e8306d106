"""Cells that hold several items of an order: a row for each item, with the order's line number."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from features.config.sources import PackedSection
from features.intake.reading.raw_table import RawTable, TableFile, as_text

ESCAPED = re.compile(r"\\(.)", re.DOTALL)

Item = Mapping[str, str | None]


class UnpackedFile:
    """A table whose `packed` column became rows and columns; a cell without items is one row."""

    def __init__(self, table: TableFile, packed: PackedSection) -> None:
        self._table = table
        self._packed = packed

    @cached_property
    def types(self) -> dict[str, pa.DataType]:
        """The table's columns, and one for each part of an item."""
        return {
            **self._table.types,
            **dict.fromkeys(self._packed.columns.values(), pa.string()),
        }

    def read(self, columns: Collection[str]) -> RawTable:
        """Those columns, a row for each item."""
        own = self._table.types
        raw = self._table.read(
            [*dict.fromkeys([*(name for name in columns if name in own), self._packed.column])]
        )
        cells = raw.cells[self._packed.column].cast(pa.string()).to_pylist()
        items = [list(items_of(cell or "", self._packed)) or [{}] for cell in cells]
        row = np.repeat(np.arange(len(items)), [len(each) for each in items])
        flat = [item for each in items for item in each]
        parts: dict[str, pa.Array[Any]] = {
            column: pa.array([item.get(name) for item in flat], pa.string())
            for name, column in self._packed.columns.items()
        }
        rows: Any = pa.array(row)
        taken = {name: raw.cells[name].take(rows) for name in columns if name in own}
        found = {name: taken[name] if name in own else parts[name] for name in columns}
        return replace(raw, cells=found, lines=raw.lines[row])

    def raw(self, lines: Collection[int]) -> dict[int, str]:
        """What stands at those lines."""
        return self._table.raw(lines)


def items_of(cell: str, packed: PackedSection) -> Iterator[Item]:
    """The items of a cell, each with its parts by name; none where it holds none."""
    if cell.lstrip().startswith("["):
        yield from _of_json(cell)
        return
    item: dict[str, str | None] = {}
    for name, value in _parts(cell, packed):
        if name == packed.names[0] and item:
            yield item
            item = {}
        item[name] = value or None
    if item:
        yield item


def _parts(cell: str, packed: PackedSection) -> Iterator[tuple[str, str]]:
    between = f"[{re.escape(packed.between)}]"
    names = "|".join(re.escape(name) for name in sorted(packed.names, key=len, reverse=True))
    begins = re.compile(rf"(?:^|(?<!\\){between})\s*({names}){re.escape(packed.sign)}")
    found = list(begins.finditer(cell))
    ends = [*(each.start() for each in found[1:]), len(cell)]
    for each, end in zip(found, ends, strict=False):
        value = re.sub(rf"\s*(?<!\\){between}*\s*$", "", cell[each.end() : end])
        yield each[1], ESCAPED.sub(r"\1", value.strip())


def _of_json(cell: str) -> Iterator[Item]:
    try:
        found = json.loads(cell, parse_constant=str)
    except (ValueError, RecursionError):
        return
    for each in found:
        if isinstance(each, Mapping):
            yield {
                name: as_text(value)
                for name, value in each.items()
                if not isinstance(value, Mapping | list)
            }
