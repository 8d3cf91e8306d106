"""One call out, signed so that its receiver can tell who sent it."""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import cached_property
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any

from features.errors import SaysoError
from serving.webhooks.addresses import AddressRefused, Rules

SECONDS = 3.0
"""Within which each step of a call has to be done."""
LONGEST_SECONDS = 10.0
"""Within which the whole of it has."""
TIMESTAMP, SIGNATURE, DELIVERY = "Sayso-Timestamp", "Sayso-Signature", "Sayso-Delivery"


class CallFailed(SaysoError):
    """A call did not arrive, or was not taken; the message names nobody."""


class SignedCalls:
    """Calls signed with `secret`, to where the rules let them go."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def send(
        self, url: str, rules: Rules, document: Mapping[str, Any], delivery: str, now: datetime
    ) -> None:
        """Send one document to `url`; sent again it is the same `delivery`.

        Raises `CallFailed` where it may not be sent there, does not arrive, or is answered by
        anything but a success; no redirect is followed.
        """
        body, timestamp = json.dumps(document).encode(), str(int(now.timestamp()))
        headers = {
            "Content-Type": "application/json",
            TIMESTAMP: timestamp,
            SIGNATURE: f"sha256={signature(self._secret, timestamp, body)}",
            DELIVERY: delivery,
        }
        try:
            status = self._post(url, rules, body, headers)
        except AddressRefused as error:
            raise CallFailed(str(error)) from None
        except (OSError, HTTPException, ValueError) as error:
            raise CallFailed(f"the call did not arrive ({type(error).__name__})") from None
        if not 200 <= status < 300:
            raise CallFailed(f"the call was answered with {status}")

    def _post(self, url: str, rules: Rules, body: bytes, headers: Mapping[str, str]) -> int:
        parts = rules.parts(url)
        target = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
        host, address = parts.hostname or "", rules.resolved(parts)
        line = (
            HTTPSConnection(host, address[1], timeout=SECONDS, context=self._tls)
            if parts.scheme == "https"
            else HTTPConnection(host, address[1], timeout=SECONDS)
        )
        # To the very address that was looked at, whatever the name leads to next.
        line._create_connection = lambda _host, *rest: socket.create_connection(address, *rest)  # type: ignore[attr-defined]  # noqa: SLF001 - http.client has no other way in
        with _ended(line):
            line.request("POST", target, body, dict(headers))
            return line.getresponse().status

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return ssl.create_default_context()


@contextmanager
def _ended(line: HTTPConnection) -> Iterator[None]:
    """Have a connection end in time, also where its other side answers a byte at a time."""

    def end() -> None:
        if line.sock is not None:
            with suppress(OSError):
                line.sock.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(LONGEST_SECONDS, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        line.close()


def signature(secret: bytes, timestamp: str, body: bytes) -> str:
    """HMAC-SHA256 of the timestamp, a full stop and the body, in hexadecimal."""
    return hmac.new(secret, timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
