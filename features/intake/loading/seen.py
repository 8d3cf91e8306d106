"""Which orders were read already, whatever became of their lines: as salted hashes, by source and
by the rule that set lines aside ("" for purchases).
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from features.intake.loading.sorted_rows import SortedRows
from features.tables.declared.transactions import ORDER_ID
from features.warehouse.parts import write_part

NAME = "orders-seen"
COLUMNS = ("source", "rule", "order")
Hashes = NDArray[np.uint64]


def new_salt() -> str:
    """What the hashes of a load are made with."""
    return secrets.token_hex(8)


def hashes(orders: pd.Series, salt: str) -> Hashes:
    """A hash of each order number."""
    return np.asarray(
        pd.util.hash_array(orders.astype("object").to_numpy(), hash_key=salt, categorize=False),
        dtype=np.uint64,
    )


def seen_in(parts: Iterable[SortedRows], salt: str) -> pd.DataFrame:
    """The orders of all lines of some sources: source, rule, order (uint64), each once."""
    frames = [_nothing()]
    for part in parts:
        for rule, lines in [("", part.kept), *part.aside.groupby("rule")]:
            orders = lines[ORDER_ID].dropna().drop_duplicates()
            told = {"source": part.source.name, "rule": rule, "order": hashes(orders, salt)}
            frames.append(pd.DataFrame(told))
    return pd.concat(frames, ignore_index=True).drop_duplicates()


def _nothing() -> pd.DataFrame:
    types = {"source": "str", "rule": "str", "order": "uint64"}
    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in types.items()})


@dataclass(frozen=True)
class Seen:
    """The orders that loads before have read: files of what `seen_in` gives."""

    files: tuple[Path, ...]

    @classmethod
    def of(cls, notes: Path) -> Seen:
        """Those that the loads of a generation noted."""
        return cls(tuple(sorted(notes.glob(f"{NAME}*.parquet"))))

    def among(self, orders: Hashes) -> pd.DataFrame:
        """What was seen of some orders."""
        wanted, found = pa.array(np.unique(orders)), [_nothing()]
        for file, numbers in self._orders.items():
            there = pc.is_in(numbers, wanted)
            if pc.any(there).as_py():
                found.append(pq.read_table(file).filter(there).to_pandas())
        return pd.concat(found, ignore_index=True)

    @cached_property
    def _orders(self) -> dict[Path, pa.ChunkedArray[Any]]:
        return {file: pq.read_table(file, columns=["order"])["order"] for file in self.files}

    def next_file(self, notes: Path) -> Path:
        """The file for what a further load has seen."""
        return notes / f"{NAME}-{len(self.files):06}.parquet"


def write_seen(seen: pd.DataFrame, file: Path) -> None:
    """Keep what was seen."""
    types: Mapping[str, pa.DataType] = {"source": pa.string(), "rule": pa.string()}
    schema = pa.schema([(name, types.get(name, pa.uint64())) for name in COLUMNS])
    write_part(pa.Table.from_pandas(seen, schema, preserve_index=False), file)
