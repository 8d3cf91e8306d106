"""Filling the pages' templates."""

from __future__ import annotations

from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape


@cache
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("serving.pages"),
        autoescape=select_autoescape(["html.j2"], default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render(template: str, **values: Any) -> str:
    """A page from its template; every value is escaped."""
    return _templates().get_template(template).render(**values)


def in_hundred(probability: float) -> str:
    """A probability as a count, which people read more easily than a percentage."""
    return f"{round(100 * probability)} in 100"
