"""Rows that ingest refused: where they stand, why, and what is in them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import quote

import pandas as pd

from features.intake.source_files import raw_rows

COLUMNS = ("file", "line", "reason")


def rejections(rows: Iterable[tuple[str, int, str]] = ()) -> pd.DataFrame:
    """A table of refused rows: file (str), line (int64), reason (str)."""
    return pd.DataFrame(list(rows), columns=list(COLUMNS)).astype({"file": "str", "line": "int64", "reason": "str"})


def with_raw(rejected: pd.DataFrame, root: Path) -> pd.DataFrame:
    """`rejected` in the order of file and line, with a column `raw` that holds what stands there."""
    parts = [part.assign(raw=part["line"].map(raw_rows(root / file, set(part["line"])))) for file, part in rejected.groupby("file")]
    columns = [*COLUMNS, "raw"]
    return pd.concat(parts).sort_values(["file", "line"], kind="stable")[columns] if parts else pd.DataFrame(columns=columns)


def write_rejected(folder: Path, by_source: Mapping[str, pd.DataFrame]) -> dict[str, Path]:
    """Put one CSV file for each source into `folder`, in place of all that were there; a source without refused rows has none.

    Returns the files by source.
    """
    written = {name: folder / f"{quote(name, safe=' ')}.csv" for name, rejected in by_source.items() if len(rejected)}
    for name, file in written.items():
        folder.mkdir(parents=True, exist_ok=True)
        partial = file.with_suffix(".partial")
        by_source[name].to_csv(partial, index=False, encoding="utf-8")
        os.replace(partial, file)
    for old in folder.glob("*.csv"):
        if old not in written.values():
            old.unlink()
    return written
