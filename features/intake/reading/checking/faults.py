"""Why rows cannot be read: the fault of a cell, with what stands there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.config.sources import Source, names
from features.intake.reading.cells import EMPTY, IN_FUTURE, ZONE_SLACK, Cells

SHOWN = 60
"""Characters of a faulty value that a reason quotes."""


@dataclass(frozen=True)
class Stated:
    """What stands in the cells of a column that have a fault, by their positions."""

    positions: NDArray[np.int64]
    cells: pa.Array[Any]

    @classmethod
    def of(cls, read: Cells, cells: pa.Array[Any]) -> Stated:
        """That of the `cells` of a column that was `read`."""
        masks = [fault.mask for fault in read.faults]
        faulty = np.flatnonzero(np.logical_or.reduce(masks)) if masks else np.empty(0, np.int64)
        positions = np.asarray(faulty, dtype=np.int64)
        return cls(positions, cells.take(pa.array(positions, pa.int64())))

    def at(self, positions: NDArray[np.int64]) -> list[Any]:
        """What stands at some of the positions."""
        places = np.searchsorted(self.positions, positions)
        return self.cells.take(pa.array(places, pa.int64())).to_pylist()


def reasons(
    columns: Mapping[str, Cells],
    stated: Mapping[str, Stated],
    source: Source,
    rows: int,
) -> Iterator[tuple[int, str]]:
    """Position and reason of every row that holds a fault, of so many `rows`; of several the first
    in the order of the mapping. `stated` has the faulty cells of a column as they stand there.
    """
    judged = np.zeros(rows, dtype=bool)
    for column, cells in columns.items():
        name = names(source.columns[column])
        for fault in cells.faults:
            positions = np.flatnonzero(fault.mask & ~judged)
            judged |= fault.mask
            for position, value in zip(
                positions.tolist(),
                stated[column].at(positions),
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


def awaited_in(columns: Mapping[str, Cells]) -> datetime | None:
    """When the first of the rows may be read whose moment lies in the future."""
    moments = [
        cells.values[fault.mask].min().to_pydatetime() - ZONE_SLACK
        for cells in columns.values()
        for fault in cells.faults
        if fault.words == IN_FUTURE
    ]
    return min(moments, default=None)


def _quoted(value: object) -> str:
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
