"""What a page says after a change: what was done and from when, with a button that takes it back.

The statement travels in the address that the browser is sent on to, signed and for this customer
alone, so that nobody can make a page claim what was never done.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from markupsafe import Markup, escape

from features import clock
from features.catalog import Catalog
from serving.access.signed_links import Links
from serving.live.assortment import Assortment
from serving.pages.reader import Reader

SAID = {
    "withdrawn": "“{category}” is no longer used for “{purpose}”. This holds from {when} on.",
    "granted": "“{category}” may be used for “{purpose}”. This holds from {when} on.",
    "stopped_all": "Nothing that you share is used any more. This holds from {when} on.",
    "allowed_all": "Everything listed here may be used. This holds from {when} on.",
    "paused": "Everything is paused until {until}. This holds from {when} on.",
    "resumed": "The pause is over. What you allow may be used again from {when} on.",
    "hidden_product": "“{value}” is hidden. You will not see it from {when} on.",
    "hidden_product_category": (
        "Products of “{value}” are hidden. You will not see them from {when} on."
    ),
    "hidden_brand": "Products by “{value}” are hidden. You will not see them from {when} on.",
    "hidden_channel": "You get no suggestions here any more: {value}. This holds from {when} on.",
    "limited": "Your own limit for “{value}” is now {most} ({wait}). This holds from {when} on.",
    "unlimited": "You have no limit of your own any more for “{value}”. This holds from {when} on.",
    "shown": "“{value}” may be shown again from {when} on.",
    "unchanged": "It was so already, so nothing was changed.",
}
"""Every change that a page can make, in words."""
CHANNELS = {"web": "On our website", "email": "By e-mail", "sms": "By text message"}
"""Names of the channels that most shops have."""


@dataclass(frozen=True)
class Done:
    """A change that was made: its name in `SAID`, what it is about, and the fields of the form that
    takes it back.
    """

    what: str
    about: Mapping[str, str] = field(default_factory=dict)
    undo: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Confirmation:
    """A change in the reader's words, and the form that takes it back."""

    text: str
    undo: Mapping[str, str] | None


def seal(links: Links, customer: int, done: Done, moment: datetime) -> str:
    """The statement as a signed text."""
    stated = {
        "c": customer,
        "w": done.what,
        "a": dict(done.about),
        "u": done.undo and dict(done.undo),
        "t": clock.to_text(moment),
    }
    return links.statement(json.dumps(stated, separators=(",", ":")))


def confirmation(
    links: Links,
    customer: int | None,
    sealed: str | None,
    catalog: Catalog,
    assortment: Assortment,
    reader: Reader,
) -> Confirmation | None:
    """What a signed statement says; None for one that is forged, old or another customer's."""
    if sealed is None or (text := links.stated(sealed)) is None:
        return None
    stated = json.loads(text)
    if stated["c"] != customer:
        return None
    written = {
        name: _named(name, value, catalog, assortment, reader)
        for name, value in stated["a"].items()
    }
    when = reader.wording.moment(clock.from_text(stated["t"]))
    sentence = Markup(escape(reader.wording.sentence(SAID[stated["w"]])))  # noqa: S704 - escaped right here, as all places are
    return Confirmation(sentence.format(**written, when=when), stated["u"])


def _named(name: str, value: str, catalog: Catalog, assortment: Assortment, reader: Reader) -> str:
    wording = reader.wording
    if name == "category":
        return (
            wording.sentence(catalog.categories[value].label)
            if value in catalog.categories
            else value
        )
    if name == "purpose":
        return (
            wording.sentence(catalog.purposes[value].label) if value in catalog.purposes else value
        )
    if name == "until":
        return wording.day(clock.from_text(value))
    if name in {"most", "wait"}:
        return wording.written({name: int(value)})[name]
    scope, _, found = value.partition(":")
    if scope == "product":
        return assortment.title(found)
    return wording.sentence(CHANNELS.get(found, found)) if scope == "channel" else found
