"""Files that belong together: what other files say of the rows of one, found by a shared key."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from features.config.sources import JoinSection
from features.errors import SourceError
from features.intake.reading.raw_table import RawTable, TableFile


class JoinedFile:
    """A table with the columns of others, each named `file.column`; a row whose key the other file
    does not have holds nothing there.
    """

    def __init__(
        self,
        file: Path,
        table: TableFile,
        others: Sequence[tuple[JoinSection, TableFile]],
        root: Path,
    ) -> None:
        """Raise `SourceError` where a key is no column of its file.

        The `others` lie in `root`.
        """
        self._table = table
        self._others = others
        self._root = root
        known = {*table.types}
        for join, other in others:
            _require(join.key, other.types, root / join.file)
            _require(join.on, known, file)
            known |= {join.column(name) for name in other.types}

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
        elsewhere: list[tuple[Path, int, str]] = []
        for join, other in self._others:
            file = self._root / join.file
            wanted = {join.column(name): name for name in other.types}
            taken = [name for name in dict.fromkeys([*columns, *keys]) if name in wanted]
            held = other.read([*dict.fromkeys([join.key, *(wanted[name] for name in taken)])])
            elsewhere += [(file, line, reason) for line, reason in held.misshapen]
            rows = _positions(cells[join.on], held, join, file)
            cells |= {name: held.cells[wanted[name]].take(rows) for name in taken}
        found = {name: cells[name] for name in columns}
        return replace(raw, cells=found, elsewhere=tuple(elsewhere))

    def raw(self, lines: Collection[int]) -> dict[int, str]:
        """What stands at those lines of the first file."""
        return self._table.raw(lines)


def _require(column: str, found: Collection[str], file: Path) -> None:
    if column not in found:
        raise SourceError(
            f"the column `{column}` is missing, by which files are joined; found are"
            f" {', '.join(f'`{name}`' for name in found)}. Correct `joins` in sayso.toml, or the"
            " file",
            file=file,
        )


def _positions(cells: pa.Array[Any], held: RawTable, join: JoinSection, file: Path) -> Any:
    """Where each cell stands among the keys; null where it does not.

    Raises `SourceError` where two rows have one key and say different things.
    """
    keys = _texts(held.cells[join.key])
    index = pd.Series(range(len(keys)), index=keys)
    again = index.index.duplicated() & keys.notna().to_numpy()
    if again.any():
        _refuse_twice(keys, again, held, join, file)
    found = _texts(cells).map(index[~index.index.duplicated()])
    return pa.array(found.astype("Int64"), pa.int64(), from_pandas=True)


def _refuse_twice(
    keys: pd.Series, again: NDArray[np.bool_], held: RawTable, join: JoinSection, file: Path
) -> None:
    said = pd.DataFrame({name: _texts(its) for name, its in held.cells.items()})
    differ = again & ~said.duplicated().to_numpy()
    if not differ.any():
        return
    at = int(np.flatnonzero(differ)[0])
    first = int(np.flatnonzero((keys == keys.iloc[at]).to_numpy())[0])
    raise SourceError(
        f"{join.key} {keys.iloc[at]!r} is in line {held.lines[first]} already, and says something"
        " else there; leave one row for each, or join by another column (`joins` in sayso.toml)",
        file=file,
        line=int(held.lines[at]),
    )


def _texts(cells: pa.Array[Any]) -> pd.Series:
    return pd.Series(cells.cast(pa.string()).to_pandas(), dtype="str").str.strip()
