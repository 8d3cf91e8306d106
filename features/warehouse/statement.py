"""A query that is asked again and again: its SQL made once, and what it gives as Ibis would."""

from __future__ import annotations

from dataclasses import dataclass

import ibis
import pandas as pd
import pyarrow as pa
from ibis.formats.pandas import PandasData


@dataclass(frozen=True)
class Statement:
    """The SQL of an expression, and the columns of what it gives."""

    sql: str
    columns: ibis.Schema

    def frame(self, found: pa.Table) -> pd.DataFrame:
        """The rows `found`, as Ibis gives those of an expression."""
        frame = pd.DataFrame(
            {
                name: column.to_pylist() if column.null_count else column.to_pandas()
                for name, column in zip(found.column_names, found.columns, strict=True)
            }
        )
        converted: pd.DataFrame = PandasData.convert_table(frame, self.columns)
        return converted
