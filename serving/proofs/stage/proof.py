"""What a selftest is, and what it finds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from features.errors import SaysoError
from features.progress import Progress

TENTH = 10
"""A selftest runs at this part of its full size unless it is asked for all of it."""


class CannotProve(SaysoError):
    """This machine lacks something that the proof needs; the message says what, and how to get
    it.
    """


@dataclass(frozen=True)
class Finding:
    """What a selftest found: `figures` by name, and the `faults`, one sentence each; none means
    that the promise held.
    """

    figures: Mapping[str, int | float | str]
    faults: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether the promise held throughout."""
        return not self.faults


@dataclass(frozen=True)
class Proof:
    """One promise and the way to put it to the test.

    `run` is given an empty folder to work in, the share of the full size to run at (1 is all of it)
    and where to report progress.
    """

    name: str
    promise: str
    run: Callable[[Path, float, Progress], Finding]
