"""Signed links to a customer's own pages, each for one page and for so long."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from features.clock import Clock, utc_now
from features.errors import SaysoError
from serving.access.signed_text import NotOurs, SignedText, TooOld

STATED_FOR = timedelta(minutes=15)
"""How long a page repeats what was just done."""
UNDONE_WITHIN = timedelta(minutes=10)
"""How long a why link can take its own change back."""
OPENED_BY_CODE = timedelta(hours=1)
"""How long the choices stay open that a one-time code opened."""


class Page(StrEnum):
    """What a link opens; a link for one page opens no other."""

    WHY = "why"
    """One decision; it can only narrow what is used."""
    PREFERENCES = "preferences"
    """All that a customer allows, to be changed either way."""
    DATA = "data"
    """Everything that is held of a customer."""
    ERASURE = "erasure"
    """The page that erases."""


LIFE: Mapping[Page, timedelta] = {
    Page.WHY: timedelta(days=90),
    Page.PREFERENCES: timedelta(days=90),
    Page.DATA: timedelta(minutes=10),
    Page.ERASURE: timedelta(minutes=10),
}
"""How long a link is good for."""


class LinkRefused(SaysoError):
    """A link that opens nothing. `expired` tells that it once did."""

    def __init__(self, message: str, *, expired: bool) -> None:
        super().__init__(message)
        self.expired = expired


@dataclass(frozen=True)
class Link:
    """A link that is ours and in time.

    `subject` is the decision that it is about, else the customer's pseudonym; `key_id` is the key
    whose answer held it, empty where there was none.
    """

    page: Page
    subject: str
    id: str
    key_id: str
    issued_at: datetime
    expires_at: datetime


class Links:
    """Makes and checks links under `base_url`, signed with `secret`."""

    def __init__(self, secret: str, base_url: str, clock: Clock = utc_now) -> None:
        self._signers = {page: SignedText(secret, f"link.{page}", clock) for page in Page}
        self._statements = SignedText(secret, "statement", clock)
        self._changes = SignedText(secret, "undo", clock)
        self.base_url = base_url.rstrip("/")

    def url(self, page: Page, subject: str, key_id: str = "") -> str:
        """Address of `page` for `subject` (a decision, or a customer's pseudonym), for the answer
        to the key `key_id`.
        """
        return self.at(self.path(page, subject, key_id))

    def at(self, path: str) -> str:
        """The whole address of a path of ours."""
        return f"{self.base_url}{path}"

    def path(
        self, page: Page, subject: str, key_id: str = "", life: timedelta | None = None
    ) -> str:
        """The address without host; good for `life`, and never for longer than its page allows."""
        lasts = min(life or LIFE[page], LIFE[page])
        content = [subject, key_id, secrets.token_urlsafe(9)]
        return f"/{page}/{self._signers[page].sign(content, lasts)}"

    def read(self, page: Page, token: str) -> Link:
        """What a link says.

        Raises `LinkRefused` for one that is forged, expired or made for another page.
        `serving.access.visits` looks whether it was revoked, too.
        """
        try:
            (subject, key_id, id), issued_at, expires_at = self._signers[page].read(token)
        except TooOld:
            raise LinkRefused("This link has expired.", expired=True) from None
        except NotOurs:
            raise LinkRefused("This link does not work.", expired=False) from None
        return Link(page, subject, id, key_id, issued_at, expires_at)

    def statement(self, text: str) -> str:
        """A short text that a page may repeat after a redirect, signed."""
        return self._statements.sign(text, STATED_FOR)

    def stated(self, token: str) -> str | None:
        """The text of a statement; None for one that is forged or too old to be repeated."""
        return _content_of(self._statements, token)

    def change(self, text: str) -> str:
        """What a why link changed and how that is taken back, signed."""
        return self._changes.sign(text, UNDONE_WITHIN)

    def changed(self, token: str) -> str | None:
        """The text of a change; None for one that is forged or too old to be taken back."""
        return _content_of(self._changes, token)


def _content_of(signer: SignedText, token: str) -> str | None:
    try:
        return str(signer.read(token)[0])
    except (NotOurs, TooOld):
        return None
