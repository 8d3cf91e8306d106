"""What rows tell of other tables, such as the title of a product beside an order line: each row
has the number of what it tells in a list of all that was told, so that a later load can count anew.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from features.tables.table import CUSTOMER, RECORDED_AT, SOURCE, Table
from features.warehouse.parts import HIDDEN, write_part

Codes = NDArray[np.int32]


def code_column(table: Table) -> str:
    """Name of the column that holds the numbers of what rows tell of `table`."""
    return f"{HIDDEN}{table.name}"


def file_of(notes: Path, table: Table, teller: str) -> Path:
    """The list of all that rows of the table `teller` told of `table`."""
    return notes / f"told-{teller}-{table.name}.parquet"


def read_list(file: Path) -> pd.DataFrame:
    """A list of what was told, by number."""
    frame: pd.DataFrame = pq.read_table(file).to_pandas()
    return frame


def write_list(told: pd.DataFrame, file: Path, table: Table) -> None:
    """Keep a list of what was told of `table`."""
    kinds = [(name, table.by_name[name].kind.arrow) for name in told.columns]
    schema = pa.schema([(name, pa.type_for_alias(kind)) for name, kind in kinds])  # type: ignore[call-overload]  # the stubs want each alias spelt out
    write_part(pa.Table.from_pandas(told, schema, preserve_index=False), file)


def coded(
    rows: pd.DataFrame, columns: list[str], before: pd.DataFrame | None = None
) -> tuple[Codes, pd.DataFrame]:
    """The number of what each row says in `columns`, and the list of all that is said, which goes
    on with that of `before`: a number stands for the same as then.
    """
    if not columns:
        return np.zeros(len(rows), dtype=np.int32), rows[columns].iloc[:1]
    whole = rows[columns] if before is None else pd.concat([before, rows[columns]])
    codes = np.zeros(len(whole), dtype=np.int64)
    for column in columns:
        own, values = pd.factorize(whole[column])
        codes = pd.factorize(codes * (len(values) + 1) + own + 1)[0].astype(np.int64)
    first = np.flatnonzero(~pd.Series(codes).duplicated().to_numpy())
    told = whole.iloc[first].reset_index(drop=True)
    return codes[len(whole) - len(rows) :].astype(np.int32), told


def counted(told: pd.DataFrame, rows: NDArray[np.int64]) -> pd.DataFrame:
    """The list with how many `rows` tell each, without what none tells any more."""
    return told.assign(rows=rows)[rows > 0]


def stated_file(notes: Path, table: Table) -> Path:
    """The rows of a table of facts that its own sources state."""
    return notes / f"stated-{table.name}.parquet"


def states_file(notes: Path, table: Table) -> Path:
    """Hashes of the rows of a table of states that its own sources state, by customer."""
    return notes / f"states-{table.name}.parquet"


def state_hashes(rows: pd.DataFrame, table: Table, salt: str) -> pd.DataFrame:
    """A hash of each row of states and of its turn among its customer's: customer, row (uint64)."""
    said = [name for name in table.by_name if name in rows]
    turns = rows.groupby(CUSTOMER, sort=False).cumcount()
    told = rows[[*said, RECORDED_AT, SOURCE]].assign(turn=turns)
    found = pd.util.hash_pandas_object(told, index=False, hash_key=salt, categorize=False)
    return pd.DataFrame({CUSTOMER: rows[CUSTOMER].to_numpy(), "row": found.to_numpy()})


def write_hashes(told: pd.DataFrame, file: Path) -> None:
    """Keep them."""
    schema = pa.schema({CUSTOMER: pa.int64(), "row": pa.uint64()})
    write_part(pa.Table.from_pandas(told, schema, preserve_index=False), file)
