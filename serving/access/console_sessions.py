"""Who is signed in to the console: a signed cookie that names a key, and a token that proves that a
form is ours.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import timedelta

from features.clock import Clock, utc_now
from serving.access.api_keys import Key, Keys
from serving.access.caller import Caller
from serving.access.revocations import Revocations, Revoked
from serving.access.signed_text import NotOurs, SignedText, TooOld

COOKIE = "sayso_console"
SCOPE = "review"
LASTS = timedelta(hours=1)
_SALT = "console"


@dataclass(frozen=True)
class Staff:
    """Somebody who is signed in: by which key, in which session, and the token that their forms
    carry.
    """

    key: Key
    session: str
    token: str

    def caller(self, request_id: str | None = None) -> Caller:
        """The member of staff as records name them."""
        return Caller(f"staff:{self.key.owner}"[:64], self.key.id, None, request_id)


class Sessions:
    """Signs people in by an API key with the scope `review`.

    The cookie holds the key's id and never its secret, and is looked up each time: revoking the key
    ends every session at once, and signing out ends one, wherever its cookie was copied to.
    """

    def __init__(
        self,
        keys: Keys,
        revocations: Revocations,
        secret: str,
        *,
        secure: bool,
        clock: Clock = utc_now,
    ) -> None:
        """`secure` tells that customers and staff come over HTTPS, so that the cookie may not
        travel otherwise.
        """
        self._keys = keys
        self._revocations = revocations
        self._secret = secret
        self._signer = SignedText(secret, _SALT, clock)
        self.secure = secure

    def begin(self, api_key: str) -> str | None:
        """The cookie of a new session; None for a key that does not open the console."""
        key = self._keys.find(api_key.strip())
        if key is None or not _opens(key):
            return None
        return self._signer.sign([key.id, secrets.token_hex(8)], LASTS)

    def staff(self, cookie: str | None) -> Staff | None:
        """Who a cookie is of; None where it is forged, too old or signed out, or its key was
        revoked.
        """
        if not cookie:
            return None
        try:
            (key_id, session), began, _ = self._signer.read(cookie)
        except (NotOurs, TooOld):
            return None
        key = self._keys.in_force(key_id)
        if key is None or not _opens(key):
            return None
        if self._revocations.is_revoked(Revoked.SESSION, session, began):
            return None
        return Staff(key, session, self._token(cookie))

    def end(self, staff: Staff) -> None:
        """Sign somebody out: the cookie of this session opens nothing any more."""
        self._revocations.revoke(Revoked.SESSION, staff.session)

    def is_ours(self, staff: Staff, token: str) -> bool:
        """Whether a form was made for this session."""
        return hmac.compare_digest(staff.token.encode(), token.encode())

    def _token(self, cookie: str) -> str:
        return hmac.new(
            f"sayso.{_SALT}.form{self._secret}".encode(), cookie.encode(), hashlib.sha256
        ).hexdigest()


def _opens(key: Key) -> bool:
    return key.allows(SCOPE)
