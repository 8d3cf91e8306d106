"""Filling the pages' templates."""

from __future__ import annotations

import secrets
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup, escape

from explain.wording import Wording
from serving.pages.reader import Reader


@cache
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("serving.pages"),
        autoescape=select_autoescape(["html.j2"], default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render(template: str, reader: Reader, **values: Any) -> str:
    """A page from its template, in the reader's language; every value is escaped.

    `say` says a sentence with values, `mail` makes a link of an address to write to; `once` tells
    the forms of this rendering from those of all others, so that one sent twice acts once.
    """
    wording = reader.wording

    def say(text: str, many: str = "", number: float | None = None, /, **places: object) -> Markup:
        return Markup(escape(wording.sentence(text, many, number))).format(**places)  # noqa: S704 - escaped right here, as all places are

    spoken = {"say": say, "mail": mail, "reader": reader, "once": secrets.token_urlsafe(12)}
    return _templates().get_template(template).render(**spoken, **values)


def mail(address: str) -> Markup:
    """An address that can be written to, as a link."""
    return Markup('<a href="mailto:{0}">{0}</a>').format(address)


def in_hundred(wording: Wording, probability: float) -> str:
    """A probability as a count, which people read more easily than a percentage."""
    return wording.say("{count} in 100", count=wording.number(round(100 * probability)))
