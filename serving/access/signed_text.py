"""Text that we signed and that comes back to us: whether it is ours, and whether it is still good.

A clock may step back, so what was signed up to `STEP_BACK` from now is good too.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

from itsdangerous import BadData, URLSafeSerializer
from itsdangerous.encoding import base64_decode, base64_encode

from features.clock import Clock, utc_now
from features.errors import SaysoError

STEP_BACK = timedelta(minutes=2)
_MILLISECOND = timedelta(milliseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class NotOurs(SaysoError):
    """A signed text that is forged, or was signed for something else."""


class TooOld(SaysoError):
    """A signed text that was good once."""


class SignedText:
    """Signs and reads texts of one kind, its `salt`, with `secret`."""

    def __init__(self, secret: str, salt: str, clock: Clock = utc_now) -> None:
        self._clock = clock
        self._signer = URLSafeSerializer(
            secret,
            salt=f"sayso.{salt}",
            signer_kwargs={"digest_method": hashlib.sha256, "key_derivation": "hmac"},
        )

    def sign(self, content: Any, life: timedelta) -> str:
        """`content`, plain data, as a text that is good for `life`."""
        began = (self._clock() - _EPOCH) // _MILLISECOND
        return str(self._signer.dumps([began, life // _MILLISECOND, content]))

    def read(self, text: str) -> tuple[Any, datetime, datetime]:
        """The content of a signed text, when it was signed and until when it is good.

        Raises `NotOurs` and `TooOld`.
        """
        if not _is_canonical(text):
            raise NotOurs("This text is not signed by us.")
        try:
            began, life, content = self._signer.loads(text)
        except (BadData, ValueError, TypeError):
            raise NotOurs("This text is not signed by us.") from None
        signed, now = _EPOCH + began * _MILLISECOND, self._clock()
        if signed > now + STEP_BACK:
            raise NotOurs("This text was signed later than now; the clock of a machine is wrong.")
        ends = signed + life * _MILLISECOND
        if ends <= now:
            raise TooOld("This text was good once.")
        return content, signed, ends


def _is_canonical(text: str) -> bool:
    """Whether the signature is written in the one way that we write it; Base64 reads some other
    endings as the same bytes.
    """
    signature = text.rpartition(".")[2]
    try:
        return base64_encode(base64_decode(signature)) == signature.encode()
    except (BadData, UnicodeEncodeError):
        return False
