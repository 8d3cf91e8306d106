"""From the typed parts of an answer to JSON: what each part states, under which names and in which
order.

`msgspec` writes what stands many times in an answer, such as each feature's part in it, as it is;
those are the parts with slots. Of all others it is told here what they state.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, fields
from functools import cache
from typing import Any

import msgspec

TOLD_WITH = "told_with"
"""Metadata of a dataclass's field that is left out of the document where the field of that name is
None.
"""
REMADE = "remade"
"""Metadata of a field that is not kept with a decision, since it follows from what is kept."""
LEFT_OUT = {TOLD_WITH: None}
"""Metadata of a field that is left out where it is None itself."""

_PLAIN = frozenset({str, float, int, bool})
"""What is stated as it is."""
_encoder = msgspec.json.Encoder()


@dataclass(frozen=True)
class ModelName:
    """The model that answered."""

    name: str
    version: str


def document(part: Any, *, kept: bool = False) -> dict[str, Any]:
    """What a part of an answer (a dataclass) states by name, in the order of its fields, down to
    the parts with slots; with `kept`, without what is made anew where it is needed.
    """
    left_out = _left_out(part.__class__)
    stated = {}
    for name, value in vars(part).items():
        if value.__class__ in _PLAIN and name not in left_out:
            stated[name] = value
            continue
        if name in left_out:
            decides, remade = left_out[name]
            if getattr(part, decides) is None or (kept and remade):
                continue
        stated[name] = _stated(value, kept)
    return stated


def _stated(value: Any, kept: bool) -> Any:
    if isinstance(value, list | tuple):
        each = value and hasattr(value[0], "__dict__")
        return [document(one, kept=kept) for one in value] if each else value
    return document(value, kept=kept) if hasattr(value, "__dict__") else value


def encoded(stated: Any) -> bytes:
    """What `document` gave, or other plain data, as JSON; always the same for the same content,
    and numbers keep every bit.
    """
    return _encoder.encode(stated)


def digest(body: bytes) -> str:
    """Fingerprint of an answer as it was `encoded` whole."""
    return hashlib.sha256(body).hexdigest()


def plain(part: Any) -> Any:
    """A part of an answer as plain data, all through: what a reader of its JSON gets."""
    return json.loads(encoded(document(part)))


@cache
def _left_out(kind: Any) -> dict[str, tuple[str, bool]]:
    """By the name of each field that may be left out, the field that decides on it, and whether it
    is made anew.
    """
    return {
        one.name: (one.metadata.get(TOLD_WITH) or one.name, one.metadata.get(REMADE, False))
        for one in fields(kind)
        if one.metadata
    }
