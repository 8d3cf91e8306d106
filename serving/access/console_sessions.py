"""Who is signed in to the console: a signed cookie that names a key, and a token that proves that a
form is ours.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import timedelta

from itsdangerous import BadSignature, URLSafeTimedSerializer

from serving.access.api_keys import Key, Keys

COOKIE = "sayso_console"
SCOPE = "review"
LASTS = timedelta(hours=1)
_SALT = "sayso.console"


@dataclass(frozen=True)
class Staff:
    """Somebody who is signed in: the id of their key, and the token that their forms carry."""

    key_id: str
    token: str


class Sessions:
    """Signs people in by an API key with the scope `review`.

    The cookie holds the key's id and never its secret, and is looked up each time: revoking the key
    ends every session at once.
    """

    def __init__(self, keys: Keys, secret: str, *, secure: bool) -> None:
        """`secure` tells that customers and staff come over HTTPS, so that the cookie may not
        travel otherwise.
        """
        self._keys = keys
        self._secret = secret
        self.secure = secure

    def begin(self, api_key: str) -> str | None:
        """The cookie of a new session; None for a key that does not open the console."""
        key = self._keys.find(api_key.strip())
        return self._signer.dumps([key.id, secrets.token_hex(8)]) if _opens(key) and key else None

    def staff(self, cookie: str | None) -> Staff | None:
        """Who a cookie is of; None where it is forged or too old, or its key was revoked."""
        if not cookie:
            return None
        try:
            key_id, _ = self._signer.loads(cookie, max_age=int(LASTS.total_seconds()))
        except (BadSignature, ValueError, TypeError):
            return None
        return Staff(key_id, self._token(cookie)) if _opens(self._keys.in_force(key_id)) else None

    def is_ours(self, staff: Staff, token: str) -> bool:
        """Whether a form was made for this session."""
        return hmac.compare_digest(staff.token.encode(), token.encode())

    def _token(self, cookie: str) -> str:
        return hmac.new(
            f"{_SALT}.form{self._secret}".encode(), cookie.encode(), hashlib.sha256
        ).hexdigest()

    @property
    def _signer(self) -> URLSafeTimedSerializer:
        return URLSafeTimedSerializer(
            self._secret,
            salt=_SALT,
            signer_kwargs={"digest_method": hashlib.sha256, "key_derivation": "hmac"},
        )


def _opens(key: Key | None) -> bool:
    return key is not None and key.allows(SCOPE)
