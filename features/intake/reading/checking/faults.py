"""Why rows cannot be read: the fault of a cell, with what stands there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from features.config.sources import Source, names
from features.intake.reading.cells import EMPTY, Cells

SHOWN = 60
"""Characters of a faulty value that a reason quotes."""


def reasons(
    columns: Mapping[str, Cells],
    stated_in: Callable[[str], pa.Array[Any]],
    source: Source,
    rows: int,
) -> Iterator[tuple[int, str]]:
    """Position and reason of every row that holds a fault, of so many `rows`; of several the first
    in the order of the mapping. `stated_in` gives the cells of a column as they stand there.
    """
    judged = np.zeros(rows, dtype=bool)
    for column, cells in columns.items():
        name, stated = names(source.columns[column]), stated_in(column)
        for fault in cells.faults:
            positions = np.flatnonzero(fault.mask & ~judged)
            judged |= fault.mask
            for position, value in zip(
                positions.tolist(),
                stated.take(pa.array(positions, pa.int64())).to_pylist(),
                strict=True,
            ):
                yield (
                    position,
                    (
                        f"{name} is empty"
                        if fault.words == EMPTY
                        else f"{name} is {_quoted(value)}, {fault.words}"
                    ),
                )


def _quoted(value: object) -> str:
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
