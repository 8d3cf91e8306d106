"""Changes of stored rows: which go, and of which less is left; and the parts that come of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.intake.loading.stored import FILE, ROW, SOLD
from features.tables.declared.transactions import AMOUNT, QUANTITY
from features.warehouse.parts import PART_ROWS, number_of, part_name

LEFT = (QUANTITY, AMOUNT, SOLD)


@dataclass
class Edits:
    """`gone` rows of a table, and `less`, rows with new values of what is left of them; both say
    where they stand.
    """

    gone: pd.DataFrame
    less: pd.DataFrame = field(default_factory=pd.DataFrame)

    def parts(self, files: list[Path], table: str, new: pa.Table) -> dict[str, pa.Table | None]:
        """The parts that change, by file name, where the rows `new` come after the others."""
        changed = {file: self._part(file) for file in files if str(file) in self._touched}
        parts: dict[str, pa.Table | None] = {file.name: rows for file, rows in changed.items()}
        if new.num_rows == 0:
            return parts
        last = files[-1]
        before = changed.get(last)
        held = pq.read_metadata(last).num_rows if before is None else before.num_rows
        if held + new.num_rows <= PART_ROWS:
            before = pq.read_table(last) if before is None else before
            parts[last.name] = pa.concat_tables([before, new.cast(before.schema)])
            return parts
        for number, begin in enumerate(range(0, new.num_rows, PART_ROWS), number_of(last) + 1):
            parts[part_name(table, number)] = new.slice(begin, PART_ROWS)
        return parts

    @property
    def _touched(self) -> frozenset[str]:
        return frozenset(
            name for rows in (self.gone, self.less) if len(rows) for name in rows[FILE]
        )

    def _part(self, file: Path) -> pa.Table:
        rows = pq.read_table(file)
        if len(self.less) and len(less := self.less[self.less[FILE] == str(file)]):
            for name in LEFT:
                rows = _put(rows, name, less)
        if len(self.gone) and len(gone := self.gone[self.gone[FILE] == str(file)]):
            kept = np.ones(rows.num_rows, dtype=bool)
            kept[gone[ROW].to_numpy()] = False
            rows = rows.filter(pa.array(kept))
        return rows


def _put(rows: pa.Table, name: str, less: pd.DataFrame) -> pa.Table:
    """`rows` with the values that `less` has in a column, where they stand."""
    position, kept = rows.column_names.index(name), rows.schema.field(name)
    values = pa.array(less.sort_values(ROW)[name], kept.type, from_pandas=True)
    mask = np.zeros(rows.num_rows, dtype=bool)
    mask[less[ROW].to_numpy()] = True
    column = pc.replace_with_mask(rows[name].combine_chunks(), pa.array(mask), values)
    return rows.set_column(position, kept, column)
