"""Files that belong together: what other files say of the rows of one, found by a shared key."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cached_property
from typing import Any

import pandas as pd
import pyarrow as pa

from features.config.sources import JoinSection
from features.intake.reading.raw_table import RawTable, TableFile


class JoinedFile:
    """A table with the columns of others, each named `file.column`; a row whose key the other file
    does not have holds nothing there.
    """

    def __init__(self, table: TableFile, others: Sequence[tuple[JoinSection, TableFile]]) -> None:
        self._table = table
        self._others = others

    @cached_property
    def types(self) -> dict[str, pa.DataType]:
        """The columns of all files."""
        found = dict(self._table.types)
        for join, other in self._others:
            found |= {join.column(name): kind for name, kind in other.types.items()}
        return found

    def read(self, columns: Collection[str]) -> RawTable:
        """Those columns, for the rows of the first file."""
        own = self._table.types
        keys = [join.on for join, _ in self._others]
        raw = self._table.read([*dict.fromkeys(n for n in [*columns, *keys] if n in own)])
        cells = dict(raw.cells)
        for join, other in self._others:
            wanted = {join.column(name): name for name in other.types}
            taken = [name for name in dict.fromkeys([*columns, *keys]) if name in wanted]
            held = other.read([*dict.fromkeys([join.key, *(wanted[name] for name in taken)])])
            rows = _positions(cells[join.on], held.cells[join.key])
            cells |= {name: held.cells[wanted[name]].take(rows) for name in taken}
        found = {name: cells[name] for name in columns}
        return RawTable(found, raw.lines, raw.misshapen, raw.decimal_comma)

    def raw(self, lines: Collection[int]) -> dict[int, str]:
        """What stands at those lines of the first file."""
        return self._table.raw(lines)


def _positions(cells: pa.Array[Any], keys: pa.Array[Any]) -> Any:
    """Where each cell stands among the keys; null where it does not."""
    index = pd.Series(range(len(keys)), index=_texts(keys))
    found = _texts(cells).map(index[~index.index.duplicated()])
    return pa.array(found.astype("Int64"), pa.int64(), from_pandas=True)


def _texts(cells: pa.Array[Any]) -> pd.Series:
    return pd.Series(cells.cast(pa.string()).to_pandas(), dtype="str").str.strip()
