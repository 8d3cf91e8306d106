"""A model card as headings, paragraphs and tables, and as the two files that people read (Mitchell
et al., FAT* 2019).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

TEMPLATES = Path(__file__).parent / "templates"
NOTHING = "-"
"""What stands where there is no figure."""


@dataclass(frozen=True)
class Table:
    """A table; every cell is text, which is figures unless it is `words`."""

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    words: bool = False


@dataclass(frozen=True)
class Section:
    """A heading and what stands under it."""

    heading: str
    paragraphs: Sequence[str]
    tables: Sequence[Table] = ()


@dataclass(frozen=True)
class Card:
    """The whole card."""

    title: str
    summary: str
    sections: Sequence[Section]

    def files(self) -> dict[str, str]:
        """The card as `model_card.md` and `model_card.html`."""
        templates = Environment(
            loader=FileSystemLoader(TEMPLATES),
            undefined=StrictUndefined,
            autoescape=select_autoescape(["html.j2"]),
            trim_blocks=True,
            lstrip_blocks=True,
        )
        return {
            name: templates.get_template(f"{name}.j2").render(card=self)
            for name in ("model_card.md", "model_card.html")
        }


def figure(value: float | None, digits: int = 3) -> str:
    """A number as a card shows it; a dash where there is none."""
    return NOTHING if value is None or math.isnan(value) else f"{value:.{digits}f}"


def between(low: float | None, high: float | None, digits: int = 3) -> str:
    """An interval as a card shows it."""
    return NOTHING if low is None or high is None else f"{low:.{digits}f} to {high:.{digits}f}"


def with_interval(ends: Sequence[float], digits: int = 3) -> str:
    """A figure (low, middle, high) with its interval behind it."""
    return f"{figure(ends[1], digits)} ({between(ends[0], ends[2], digits)})"
