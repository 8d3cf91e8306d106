"""What is noted of a source of which all was read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from features.config.sources import Source
from features.intake.cleaning import BACK
from features.intake.loading.admission import Admitted
from features.intake.loading.loaded import LoadedSource
from features.intake.loading.made import newest
from features.intake.loading.sorted_rows import SortedRows
from features.intake.reading.containers import content_of, settled, stamp_of
from features.intake.reading.source_files import FileRead


def read_whole(
    part: SortedRows, taken: Admitted, joined: Mapping[str, FileRead], root: Path
) -> LoadedSource:
    """The note of a source whose rows are `part`, of which those of its table were `taken`; what
    the files that are `joined` held before it was read.
    """
    name = part.source.name
    back = part.aside[part.aside["rule"].isin(BACK)]
    return LoadedSource(
        files=part.found.files,
        copies=part.found.copies,
        joined={
            file: replace(read, stamp=settled(root / file, read.stamp))
            for file, read in joined.items()
        },
        read=part.read,
        rejected=len(part.rejected),
        set_aside=part.set_aside,
        by_status=part.by_status,
        currencies=part.currencies,
        last_back=newest(back, part.table),
        left=name in taken.overlapping,
        expired=name in taken.expired,
        awaited=part.found.awaited,
        marked=None if part.found.table is None else part.found.table.mark,
    )


def joined_files(source: Source, root: Path) -> dict[str, FileRead]:
    """What the files hold that are joined to those of a source."""
    found = {}
    for join in source.joins:
        file = root / join.file
        stamp, content = stamp_of(file), content_of(file)
        found[join.file] = FileRead(content, None, {}, settled(file, stamp))
    return found
