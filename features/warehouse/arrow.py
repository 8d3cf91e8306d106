"""The Arrow form of declared tables."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa

from features.tables.table import Table


def schema_of(table: Table) -> pa.Schema:
    """The columns of `table` in the warehouse, with their types."""
    return pa.schema(
        [(name, pa.type_for_alias(kind)) for name, kind in table.kept]  # type: ignore[call-overload]  # the stubs want each alias spelt out
    )


def arrow_table(frame: pd.DataFrame, table: Table) -> pa.Table:
    """The rows of `frame` in the warehouse's types; a column of `table` that it lacks is missing in
    all of them.
    """
    schema = schema_of(table)
    if lacking := [name for name in schema.names if name not in frame]:
        frame = frame.assign(**dict.fromkeys(lacking))
    return pa.Table.from_pandas(
        frame[schema.names], schema=schema, preserve_index=False
    ).replace_schema_metadata(None)
