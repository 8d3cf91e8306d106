"""Progress of a part as progress of the whole."""

from __future__ import annotations

from features.progress import Progress


def part_of(progress: Progress, begin: float, end: float) -> Progress:
    """Where a part that goes from `begin` to `end` of the whole tells its progress."""
    return lambda what, share: progress(what, begin + (end - begin) * share)
