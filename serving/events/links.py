"""Links by which messages tell what came of them: a picture that was loaded, a link that was
followed. They open nothing, and say which decision they are of.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from datetime import timedelta
from urllib.parse import urlsplit

from features.clock import Clock, utc_now
from features.events.event import Kind
from serving.access.signed_text import SignedText

LIFE = timedelta(days=90)
IN_MESSAGES = frozenset({"email"})
"""Channels whose answers hold such a link: what is shown there can tell nothing by itself."""
LONGEST_TARGET = 2_000


class EventLinks:
    """Makes and reads them under `base_url`, signed with `secret`."""

    def __init__(self, secret: str, base_url: str, clock: Clock = utc_now) -> None:
        self._signer = SignedText(secret, "link.event", clock)
        self._base_url = base_url.rstrip("/")

    def url(self, decision_id: str) -> str:
        """The address to which `.gif` is added for the picture, and `?to=...` for a link."""
        return f"{self._base_url}/e/{self._signer.sign(decision_id, LIFE)}"

    def read(self, token: str) -> str:
        """The decision that a link is of. Raises `NotOurs` and `TooOld`."""
        return str(self._signer.read(token)[0])


def event_id(decision_id: str, kind: Kind, product_id: str | None) -> str:
    """The id of an event that a link tells of: followed twice, it is one."""
    stated = "\n".join((decision_id, kind, product_id or ""))
    return "link_" + hashlib.sha256(stated.encode()).hexdigest()[:32]


def is_within(target: str, origins: Collection[str]) -> bool:
    """Whether `target` is an address of one of the shop's own `origins` (scheme, host and port, in
    lower case), however a browser reads it.
    """
    if len(target) > LONGEST_TARGET or not target.isprintable() or set(target) & {" ", "\\"}:
        return False
    try:
        parts = urlsplit(target)
    except ValueError:
        return False
    return f"{parts.scheme}://{parts.netloc}".lower() in origins
