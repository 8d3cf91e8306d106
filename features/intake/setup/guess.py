"""What was guessed of a source, for its owner to look at."""

from __future__ import annotations

from dataclasses import dataclass

LAYOUT = "layout"
"""What a guess is about that names the layout of a file."""


@dataclass(frozen=True)
class Guess:
    """What was guessed: `column` of the warehouse (or setting), what was `found`, `why`, and
    whether that is `sure`.
    """

    source: str
    column: str
    found: str
    why: str
    sure: bool
