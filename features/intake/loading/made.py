"""The warehouse's tables from all rows that were taken in, and what these tell of other tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from features.config.sources import Source
from features.intake.loading.stored import SOLD
from features.intake.loading.told import (
    code_column,
    coded,
    counted,
    file_of,
    stated_file,
    write_list,
)
from features.intake.purchases import SOLD as UNITS_SOLD
from features.intake.warehouse_tables import events_table, facts_table, states_table
from features.tables.declared import transactions
from features.tables.declared.transactions import QUANTITY
from features.tables.table import CUSTOMER, RECORDED_AT, Events, Facts, States, Table
from features.tables.tables import Tables


@dataclass
class MadeTables:
    """The tables, up to which moment each holds events, and the lists of what rows told of other
    tables, by who tells and of what.
    """

    tables: dict[str, pa.Table] = field(default_factory=dict)
    until: dict[str, datetime] = field(default_factory=dict)
    lists: dict[tuple[str, Table], pd.DataFrame] = field(default_factory=dict)
    stated: dict[Table, pd.DataFrame] = field(default_factory=dict)

    def note(self, notes: Path) -> None:
        """Keep the lists for the next load."""
        for (teller, table), told in self.lists.items():
            write_list(told, file_of(notes, table, teller), table)
        for table, rows in self.stated.items():
            write_list(rows, stated_file(notes, table), table)


def made_of(
    rows: Mapping[str, pd.DataFrame], sources: Iterable[Source], tables: Tables
) -> MadeTables:
    """The tables of which a source states a column."""
    made, found = MadeTables(), dict(rows)
    filled = stated_tables(sources, tables)
    for teller in (table for table in tables.values() if isinstance(table, Events)):
        own = with_units_sold(found[teller.name]) if teller.name == transactions.NAME else None
        found[teller.name] = own if own is not None else found[teller.name]
        for table in filled:
            if teller.name in table.stated_in:
                said = [name for name in table.by_name if name in found[teller.name]]
                codes, told = coded(found[teller.name], said)
                found[teller.name] = found[teller.name].assign(**{code_column(table): codes})
                made.lists[teller.name, table] = told
        if (last := newest(found[teller.name], teller)) is not None:
            made.until[teller.name] = last
    for table in filled:
        made.tables[table.name] = _table(found, table, made)
    return made


def stated_tables(sources: Iterable[Source], tables: Tables) -> list[Table]:
    """The tables of which one of `sources` states a column."""
    every = list(sources)
    return [
        table
        for table in tables.values()
        if any(
            source.table == table.name
            or (
                source.table in table.stated_in
                and not table.by_name.keys().isdisjoint(source.columns)
            )
            for source in every
        )
    ]


def with_units_sold(lines: pd.DataFrame) -> pd.DataFrame:
    """Order lines with the units as ordered, where fewer are left, in the column that the next load
    reads.
    """
    if lines.empty:
        return lines
    sold = lines[UNITS_SOLD].astype("int64")
    return lines.assign(**{SOLD: sold.astype("Int64").mask(sold == lines[QUANTITY])})


def newest(rows: pd.DataFrame, table: Table) -> datetime | None:
    """The moment of the newest of some events; None where there is none."""
    if rows.empty or not isinstance(table, Events):
        return None
    last: datetime = pd.Timestamp(rows[table.happened_at].max()).to_pydatetime()
    return last


def _table(rows: Mapping[str, pd.DataFrame], table: Table, made: MadeTables) -> pa.Table:
    own = rows[table.name]
    if isinstance(table, Facts):
        made.stated[table] = own[[*table.by_name]]
        told = [
            counted(made.lists[teller, table], _counts(rows[teller][code_column(table)]))
            for teller in table.stated_in
            if (teller, table) in made.lists
        ]
        return facts_table(together(told, own), own, table)
    if isinstance(table, States):
        told = [changes(rows[name], table) for name in table.stated_in if name in rows]
        return states_table(together([*told, own], own), table)
    return events_table(own, table)


def changes(rows: pd.DataFrame, table: States) -> pd.DataFrame:
    """Those rows that tell something else of a customer than the one before, in the order of their
    recording, and little else.
    """
    if rows.empty or code_column(table) not in rows:
        return rows
    whose, said = rows[CUSTOMER].to_numpy(), rows[code_column(table)].to_numpy()
    order = np.lexsort((rows[RECORDED_AT].to_numpy(), whose))
    changes = np.ones(len(rows), dtype=bool)
    changes[1:] = np.diff(whose[order]) != 0
    changes[1:] |= np.diff(said[order]) != 0
    return rows.iloc[order[changes]]


def _counts(codes: pd.Series) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.bincount(codes.to_numpy(dtype="int64")).astype("int64")


def together(frames: Iterable[pd.DataFrame], none: pd.DataFrame) -> pd.DataFrame:
    """All rows of `frames`; of `none` only the columns, where there are no rows.

    A frame without rows has no types that would count.
    """
    filled = [frame for frame in frames if len(frame)]
    if len(filled) == 1:
        return filled[0]
    return pd.concat(filled, ignore_index=True) if filled else none[:0]
