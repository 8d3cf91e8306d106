"""The warehouse's tables, made of the rows that cleaning kept, as each table is declared."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa

from features.tables.table import (
    CUSTOMER,
    RECORDED_AT,
    SOURCE,
    Derivation,
    Facts,
    States,
    Table,
)
from features.warehouse.arrow import arrow_table
from features.warehouse.parts import HIDDEN


def events_table(rows: pd.DataFrame, table: Table) -> pa.Table:
    """Events, sorted by the time of recording.

    `rows` has what `features.intake.reading.sources` reads, `customer` (int64) and `source` (str).
    Columns whose names begin with `_` are kept for the next load.
    """
    said = {
        column.name: filled(rows, column.name, column.if_empty)
        for column in table.columns
        if column.if_empty is not None
    }
    hidden = [str(name) for name in rows if str(name).startswith(HIDDEN)]
    kept = rows[[*(name for name, _ in table.kept), *hidden]].assign(**said)
    if kept[RECORDED_AT].is_monotonic_increasing:
        in_order = kept
    else:
        in_order = kept.sort_values(RECORDED_AT, kind="stable")
    made = arrow_table(in_order, table)
    for name in hidden:
        made = made.append_column(name, pa.array(in_order[name], from_pandas=True))
    return made


def filled(rows: pd.DataFrame, column: str, if_empty: Derivation) -> pd.Series:
    """A column with what stands in its empty cells."""
    empty = rows[column].isna()
    if not empty.any():
        return rows[column]
    filled = rows[column].copy()
    filled[empty] = if_empty(rows[empty])
    return filled


def states_table(rows: pd.DataFrame, table: States) -> pa.Table:
    """One row for each change of a customer's state, with the time at which the shop recorded it.

    What a row does not say stays as it was.
    """
    columns = [name for name in table.by_name if name in rows]
    stated = rows.loc[
        rows[columns].notna().any(axis=1), [CUSTOMER, *columns, RECORDED_AT, SOURCE]
    ].sort_values([CUSTOMER, RECORDED_AT], kind="stable")
    if stated[columns].isna().to_numpy().any():
        stated[columns] = stated.groupby(CUSTOMER)[columns].ffill()
    stated = stated.drop_duplicates([CUSTOMER, RECORDED_AT], keep="last")
    said = stated.groupby([CUSTOMER, *columns], dropna=False, sort=False).ngroup()
    return arrow_table(stated[said != said.shift()], table)


def facts_table(told: pd.DataFrame, stated: pd.DataFrame, table: Facts) -> pa.Table:
    """One row for each thing that was stated or that other rows tell of.

    What it is called and all else is that of `stated` (rows of its own sources, each thing once),
    else the most frequent of what other rows tell of it; of two sources that state a thing
    the first has it. One without a name is called by its key. `told` has the table's columns and
    in `rows` how many rows tell the same.
    """
    key = table.key
    columns = [name for name in table.by_name if name != key]
    found = pd.DataFrame(
        {name: _most_frequent(told, key, name) for name in columns if name in told},
        index=told[key].unique(),
    )
    first_stated = stated.drop_duplicates(key).set_index(key).reindex(columns=columns)
    facts = first_stated.combine_first(found).rename_axis(key).reset_index()
    facts[table.called] = facts[table.called].where(facts[table.called].notna(), facts[key])
    return arrow_table(facts.sort_values(key), table)


def _most_frequent(rows: pd.DataFrame, key: str, column: str) -> pd.Series:
    """The most frequent value of each thing; of equally frequent ones the first in the alphabet."""
    counts = rows.groupby([key, column])["rows"].sum().reset_index()
    best = counts.sort_values([key, "rows", column], ascending=[True, False, True]).drop_duplicates(
        key
    )
    return best.set_index(key)[column]
