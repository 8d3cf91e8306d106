"""Rows that ingest refused: where they stand, why, and what is in them."""

from __future__ import annotations

import contextlib
import csv
import os
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pandas as pd

from features.intake.reading.source_files import opened

COLUMNS = ("file", "line", "reason")
OF_ERASED = "it is of a customer who was erased; what stands there is not repeated here"
SEPARATORS = re.compile(r"""[\s]*[",;:|{}\t]+[\s]*""")
"""What may stand between two cells of a row."""


def rejections(rows: Iterable[tuple[str, int, str]] = ()) -> pd.DataFrame:
    """A table of refused rows: file (str), line (int64), reason (str)."""
    return pd.DataFrame(list(rows), columns=list(COLUMNS)).astype(
        {"file": "str", "line": "int64", "reason": "str"}
    )


def with_raw(rejected: pd.DataFrame, root: Path) -> pd.DataFrame:
    """`rejected` in the order of file and line, with a column `raw` that holds what stands
    there.
    """
    parts = [
        part.assign(raw=part["line"].map(opened(root / str(file)).raw(set(part["line"]))))
        for file, part in rejected.groupby("file")
    ]
    columns = [*COLUMNS, "raw"]
    return (
        pd.concat(parts).sort_values(["file", "line"], kind="stable")[columns]
        if parts
        else pd.DataFrame(columns=columns)
    )


def without_erased(
    rejected: pd.DataFrame, erased: Callable[[Collection[str]], Collection[str]]
) -> pd.DataFrame:
    """`rejected` as `with_raw` gave it, but of rows that name an erased customer it says only where
    they stand.

    `erased` tells which of some texts are ids of erased customers.
    """
    cells = [_cells(str(raw)) for raw in rejected["raw"]]
    theirs = erased(frozenset().union(*cells))
    hidden = np.array([not named.isdisjoint(theirs) for named in cells], dtype="bool")
    return rejected.assign(
        reason=rejected["reason"].mask(hidden, OF_ERASED), raw=rejected["raw"].mask(hidden, "")
    )


def _cells(raw: str) -> frozenset[str]:
    """All that may be a cell of a row, however misshapen the row is."""
    quoted: list[str] = []
    # A row may be refused for the very reason that it is no CSV.
    with contextlib.suppress(csv.Error):
        quoted = next(csv.reader([raw]), [])
    return frozenset([*SEPARATORS.split(raw.strip()), *(cell.strip() for cell in quoted)])


def write_rejected(folder: Path, by_source: Mapping[str, pd.DataFrame]) -> dict[str, Path]:
    """Put one CSV file for each source into `folder`, in place of all that were there; a source
    without refused rows has none.

    Returns the files by source.
    """
    written = {
        name: folder / f"{quote(name, safe=' ')}.csv"
        for name, rejected in by_source.items()
        if len(rejected)
    }
    for name, file in written.items():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        partial = file.with_suffix(".partial")
        by_source[name].to_csv(partial, index=False, encoding="utf-8")
        os.replace(partial, file)
    for old in folder.glob("*.csv"):
        if old not in written.values():
            old.unlink()
    return written
