"""A table of the warehouse as its files hold it, read a column at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.tables.table import RECORDED_AT

Cells: TypeAlias = "pa.ChunkedArray[Any]"


@dataclass(frozen=True)
class StoredTable:
    """The rows of Parquet `files` of one kind."""

    files: Sequence[Path]

    @cached_property
    def num_rows(self) -> int:
        """How many rows there are."""
        return sum(pq.read_metadata(file).num_rows for file in self.files)

    @cached_property
    def column_names(self) -> list[str]:
        """The columns that all files have."""
        return list(pq.read_schema(self.files[0]).names) if self.files else []

    def __getitem__(self, name: str) -> Cells:
        """The cells of a column."""
        return pa.concat_tables([pq.read_table(file, columns=[name]) for file in self.files])[name]

    def nulls(self, name: str) -> int:
        """How many cells of a column are empty, by what its files say of their parts."""
        count = 0
        for file in self.files:
            about = pq.read_metadata(file)
            at = about.schema.names.index(name)
            parts = [about.row_group(part).column(at) for part in range(about.num_row_groups)]
            for part in parts:
                nulls = None if part.statistics is None else part.statistics.null_count
                if nulls is None:
                    return self[name].null_count
                count += nulls
        return count

    def since(self, moment: datetime) -> pa.Table:
        """The rows that were recorded after a moment (naive UTC)."""
        newer: Any = pc.greater(pc.field(RECORDED_AT), pa.scalar(moment, pa.timestamp("us")))
        return pa.concat_tables([pq.read_table(file, filters=newer) for file in self.files])
