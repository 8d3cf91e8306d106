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

from features.intake.reading.raw_table import TableFile
from features.intake.reading.source_files import Begun, opened

COLUMNS = ("file", "line", "reason")
OF_ERASED = "it is of a customer who was erased; what stands there is not repeated here"
SEPARATORS = re.compile(r"""[\s]*[",;:|{}\t]+[\s]*""")
"""What may stand between two cells of a row."""


def rejections(rows: Iterable[tuple[str, int, str]] = ()) -> pd.DataFrame:
    """A table of refused rows: file (str), line (int64), reason (str)."""
    return pd.DataFrame(list(rows), columns=list(COLUMNS)).astype(
        {"file": "str", "line": "int64", "reason": "str"}
    )


def with_raw(
    rejected: pd.DataFrame,
    root: Path,
    begun: Mapping[str, Begun] | None = None,
    table: TableFile | None = None,
) -> pd.DataFrame:
    """`rejected` in the order of file and line, with a column `raw` that holds what stands
    there; of files that were `begun` before it is sought in what follows. Rows of no file are of
    the `table`.
    """
    after, parts = begun or {}, list[pd.DataFrame]()
    for file, part in rejected.groupby("file"):
        stands = table or opened(root / str(file), begun=after.get(str(file)))
        parts.append(part.assign(raw=part["line"].map(stands.raw(set(part["line"])))))
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


def rejected_file(folder: Path, source: str) -> Path:
    """Where the refused rows of a source are put."""
    return folder / f"{quote(source, safe=' ')}.csv"


def write_rejected(folder: Path, by_source: Mapping[str, pd.DataFrame]) -> dict[str, Path]:
    """Put one CSV file for each source into `folder`, in place of all that were there; a source
    without refused rows has none.

    Returns the files by source.
    """
    for name, rejected in by_source.items():
        write_rejected_of(folder, name, rejected)
    written = {name: rejected_file(folder, name) for name, rows in by_source.items() if len(rows)}
    for old in folder.glob("*.csv"):
        if old not in written.values():
            old.unlink()
    return written


def rejected_rows(folder: Path, source: str) -> pd.DataFrame:
    """The refused rows of a source, as they were written: file, line, reason, raw."""
    file = rejected_file(folder, source)
    if not file.exists():
        return pd.DataFrame(columns=[*COLUMNS, "raw"])
    found: pd.DataFrame = pd.read_csv(file, dtype="str", keep_default_na=False)
    return found


def write_rejected_of(folder: Path, source: str, rejected: pd.DataFrame) -> None:
    """Put the refused rows of one source in place of those that were there."""
    file = rejected_file(folder, source)
    if rejected.empty:
        file.unlink(missing_ok=True)
        return
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    partial = file.with_suffix(".partial")
    rejected.to_csv(partial, index=False, encoding="utf-8")
    os.replace(partial, file)
