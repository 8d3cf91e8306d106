"""Filling the console's templates."""

from __future__ import annotations

from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from features.clock import from_text


@cache
def _templates() -> Environment:
    made = Environment(
        loader=PackageLoader("serving.console"),
        autoescape=select_autoescape(["html.j2"], default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"moment": moment, "day": day}
    return made


def render(template: str, **values: Any) -> str:
    """A page from its template; every value is escaped."""
    return _templates().get_template(template).render(**values)


def moment(text: str) -> str:
    """A moment as staff read it."""
    return from_text(text).strftime("%d %b %Y, %H:%M UTC")


def day(text: str) -> str:
    """The day of a moment."""
    return from_text(text).strftime("%d %b %Y")
