"""What was guessed of a source, for its owner to look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

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


@dataclass(frozen=True)
class Recognised:
    """How a file is to be read: the table, which of its columns is what, and the settings of a
    source that go with it; and how what else it holds is, such as the views in a file of orders.
    """

    table: str
    columns: dict[str, str | tuple[str, ...]]
    date_format: str | None
    guesses: tuple[Guess, ...]
    layout: str | None = None
    settings: Mapping[str, object] = field(default_factory=dict)
    beside: Recognised | None = None
