"""A table of the warehouse as its parts hold it: each part is looked at once, and again only where
it was written since.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.intake.health.part_health import ColumnHealth, PartHealth, health_of, step_of
from features.tables.table import RECORDED_AT, SOURCE, Events, Kind, Table


@dataclass(frozen=True)
class StoredTable:
    """The rows of `table` in Parquet `files`, without shares of its columns `but`. What is `known`
    of parts, by their names, is of before.
    """

    table: Table
    files: Sequence[Path]
    but: Collection[str]
    known: Mapping[str, PartHealth]

    def parts(self) -> dict[str, PartHealth]:
        """What each part holds, by the name of its file."""
        rows = sum(self._rows_of(file) for file in self.files)
        return {file.name: self._part(file, step_of(rows)) for file in self.files}

    def since(self, moment: datetime, parts: Mapping[str, PartHealth]) -> pa.Table:
        """The rows that were recorded after a moment (naive UTC)."""
        newer: Any = pc.greater(pc.field(RECORDED_AT), pa.scalar(moment, pa.timestamp("us")))
        newest = {name: part.newest for name, part in parts.items()}
        found = [pq.read_schema(self.files[0]).empty_table()]
        for file in self.files:
            last = newest[file.name]
            if last is not None and last > moment:
                found.append(pq.read_table(file, filters=newer))
        return pa.concat_tables(found)

    def _rows_of(self, file: Path) -> int:
        known = self._known(file)
        return pq.read_metadata(file).num_rows if known is None else known.rows

    def _part(self, file: Path, step: int) -> PartHealth:
        known = self._known(file)
        if known is not None and known.step <= step:
            return known.thinned(step)
        moment = self.table.happened_at if isinstance(self.table, Events) else None
        about = pq.read_metadata(file)
        nulls = {name: _nulls(about, name) for name in self._only_counted(about.schema.names)}
        told = {name: count for name, count in nulls.items() if count is not None}
        wanted = {*self.table.by_name, RECORDED_AT, SOURCE} - told.keys() | {moment}
        names = [name for name in about.schema.names if name in wanted]
        rows = pq.read_table(file, columns=names)
        found = health_of(rows, self.table, self.but, step, moment, _stamp(file))
        counted = {name: ColumnHealth(count) for name, count in told.items()}
        return replace(found, columns={**found.columns, **counted})

    def _only_counted(self, there: Collection[str]) -> list[str]:
        """The columns of which only the empty cells are counted, as their files say."""
        columns = self.table.by_name.items()
        seen = {name for name, its in columns if its.kind.is_number or its.kind is Kind.TEXT}
        return [name for name in self.table.by_name if name in there and name not in seen]

    def _known(self, file: Path) -> PartHealth | None:
        known = self.known.get(file.name)
        return known if known is not None and known.stamp == _stamp(file) else None


def _nulls(about: pq.FileMetaData, name: str) -> int | None:
    """How many cells of a column are empty, by what its file says; None where it does not."""
    at = about.schema.names.index(name)
    parts = [about.row_group(part).column(at) for part in range(about.num_row_groups)]
    told = [None if part.statistics is None else part.statistics.null_count for part in parts]
    return sum(count for count in told if count is not None) if None not in told else None


def _stamp(file: Path) -> tuple[int, int]:
    about = file.stat()
    return about.st_ino, about.st_mtime_ns
