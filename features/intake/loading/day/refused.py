"""The rejected lines of a day, put behind those that were rejected before."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import pandas as pd

from features.intake.loading.loaded import Loaded
from features.intake.loading.sorted_rows import SortedRows
from features.intake.reading.rejected import (
    rejected_rows,
    with_raw,
    without_erased,
    write_rejected_of,
)
from features.intake.reading.source_files import ReadAnew
from features.shop.workspace import Workspace


class Refused:
    """What is in the files of rejected lines once a day is loaded, and tables were read `anew`.

    Raises `ReadAnew` where these files are not as the load before left them.
    """

    def __init__(
        self,
        workspace: Workspace,
        loaded: Loaded,
        parts: Sequence[SortedRows],
        anew: Collection[str],
        erased: Callable[[Collection[str]], Collection[str]],
    ) -> None:
        self._folder = workspace.rejected
        self._rows: dict[str, pd.DataFrame] = {}
        for part in parts:
            name, fresh = part.source.name, part.table.name in anew
            before = loaded.sources[name]
            if part.rejected.empty and not (fresh and before.rejected):
                continue
            begun = {
                file: read.begun for file, read in before.files.items() if read.begun is not None
            }
            after = {} if fresh else begun
            raw = with_raw(part.rejected, workspace.root, after, part.found.table)
            found = without_erased(raw, erased)
            old = rejected_rows(self._folder, name)
            if not fresh and len(old) != before.rejected:
                raise ReadAnew("the files of rejected lines changed")
            self._rows[name] = found if fresh else _in_order(pd.concat([old, found]))

    def write(self) -> None:
        """Put them there."""
        for source, rows in self._rows.items():
            write_rejected_of(self._folder, source, rows)


def _in_order(rows: pd.DataFrame) -> pd.DataFrame:
    """Rejected lines in the order of file and line."""
    lines = rows.assign(line=rows["line"].astype("int64"))
    return lines.sort_values(["file", "line"], kind="stable", ignore_index=True)
