"""How long work tells how far it is."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, float], None]
"""Told what is being done and which share of the whole is behind (0 to 1)."""


def silent(_what: str, _share: float) -> None:
    """Progress that nobody watches."""


def part_of(progress: Progress, begin: float, end: float) -> Progress:
    """Where a part that goes from `begin` to `end` of the whole tells its progress."""
    return lambda what, share: progress(what, begin + (end - begin) * share)
