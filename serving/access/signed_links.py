"""Signed links to a customer's own pages."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from enum import StrEnum

from itsdangerous import BadData, BadSignature, SignatureExpired, URLSafeTimedSerializer
from itsdangerous.encoding import base64_decode, base64_encode

from features.errors import SaysoError

VALID_FOR = timedelta(days=90)
STATED_FOR = timedelta(minutes=15)
"""How long a page repeats what was just done."""


class Page(StrEnum):
    """What a link opens; a link for one page opens no other."""

    WHY = "why"
    PREFERENCES = "preferences"


class LinkRefused(SaysoError):
    """A link that opens nothing. `expired` tells that it once did."""

    def __init__(self, message: str, *, expired: bool) -> None:
        super().__init__(message)
        self.expired = expired


class Links:
    """Makes and checks links under `base_url`, signed with `secret`."""

    def __init__(self, secret: str, base_url: str) -> None:
        self._secret = secret
        self._base_url = base_url.rstrip("/")

    def url(self, page: Page, subject: str) -> str:
        """Address of `page` for `subject` (a decision, or a customer's pseudonym)."""
        return self.at(self.path(page, subject))

    def at(self, path: str) -> str:
        """The whole address of a path of ours."""
        return f"{self._base_url}{path}"

    def path(self, page: Page, subject: str) -> str:
        """The address without host."""
        return f"/{page}/{self._signer(page).dumps(subject)}"

    def subject(self, page: Page, token: str) -> str:
        """Whom a link is about.

        Raises `LinkRefused` for one that is forged, expired or made for another page.
        """
        if not _is_canonical(token):
            raise LinkRefused("This link does not work.", expired=False)
        try:
            subject = self._signer(page).loads(token, max_age=int(VALID_FOR.total_seconds()))
        except SignatureExpired:
            raise LinkRefused("This link has expired.", expired=True) from None
        except BadSignature:
            raise LinkRefused("This link does not work.", expired=False) from None
        return str(subject)

    def statement(self, text: str) -> str:
        """A short text that a page may repeat after a redirect, signed."""
        return str(self._signer("statement").dumps(text))

    def stated(self, token: str) -> str | None:
        """The text of a statement; None for one that is forged or too old to be repeated."""
        try:
            return str(
                self._signer("statement").loads(token, max_age=int(STATED_FOR.total_seconds()))
            )
        except BadSignature:
            return None

    def _signer(self, page: str) -> URLSafeTimedSerializer:
        return URLSafeTimedSerializer(
            self._secret,
            salt=f"sayso.{page}",
            signer_kwargs={"digest_method": hashlib.sha256, "key_derivation": "hmac"},
        )


def _is_canonical(token: str) -> bool:
    """Whether the signature is written in the one way that we write it; Base64 reads some other
    endings as the same bytes.
    """
    signature = token.rpartition(".")[2]
    try:
        return base64_encode(base64_decode(signature)) == signature.encode()
    except (BadData, UnicodeEncodeError):
        return False
