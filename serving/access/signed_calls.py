"""Calls out to an address of the shop's own, signed so that their receiver can tell who sent
them.

An address that leads into the machine or its own network is refused in production unless its host
is named, so that nobody has the service reach what the outside cannot.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import json
import socket
import ssl
from collections.abc import Collection, Mapping
from datetime import datetime
from functools import cached_property
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import SplitResult, urlsplit

from features.errors import SaysoError

SECONDS = 3.0
"""Within which each step of a call has to be done."""
TIMESTAMP, SIGNATURE, DELIVERY = "Sayso-Timestamp", "Sayso-Signature", "Sayso-Delivery"
PORTS = {"http": 80, "https": 443}


class CallFailed(SaysoError):
    """A call did not arrive, or was not taken; the message names nobody."""


class SignedCalls:
    """Calls to `url`, signed with `secret`.

    With `careful`, only https is spoken, and only to public addresses or the hosts in `named`.
    """

    def __init__(
        self, url: str, secret: str, *, careful: bool, named: Collection[str] = ()
    ) -> None:
        self._url, self._secret = url, secret.encode()
        self._careful, self._named = careful, frozenset(named)

    def send(self, document: Mapping[str, Any], now: datetime) -> None:
        """Send one document.

        Raises `CallFailed` where it may not be sent there, does not arrive, or is answered by
        anything but a success; no redirect is followed.
        """
        body, timestamp = json.dumps(document).encode(), str(int(now.timestamp()))
        headers = {
            "Content-Type": "application/json",
            TIMESTAMP: timestamp,
            SIGNATURE: f"sha256={signature(self._secret, timestamp, body)}",
            DELIVERY: hmac.new(self._secret, body, hashlib.sha256).hexdigest()[:32],
        }
        try:
            status = self._post(body, headers)
        except (OSError, HTTPException, ValueError) as error:
            raise CallFailed(f"the call did not arrive ({type(error).__name__})") from None
        if not 200 <= status < 300:
            raise CallFailed(f"the call was answered with {status}")

    def _post(self, body: bytes, headers: Mapping[str, str]) -> int:
        parts = urlsplit(self._url)
        line = self._line(parts)
        try:
            target = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
            line.request("POST", target, body, dict(headers))
            return line.getresponse().status
        finally:
            line.close()

    def _line(self, parts: SplitResult) -> HTTPConnection:
        """A connection to the very address that was looked at, whatever the name leads to next."""
        host, port = parts.hostname or "", parts.port or PORTS.get(parts.scheme, 0)
        if self._careful and parts.scheme != "https":
            raise CallFailed("the call has to go to an https address in production")
        address = self._address_of(host, port)
        line = (
            HTTPSConnection(host, port, timeout=SECONDS, context=self._tls)
            if parts.scheme == "https"
            else HTTPConnection(host, port, timeout=SECONDS)
        )
        line._create_connection = lambda _host, *rest: socket.create_connection(address, *rest)  # type: ignore[attr-defined]  # noqa: SLF001 - http.client has no other way in
        return line

    def _address_of(self, host: str, port: int) -> tuple[str, int]:
        found = [
            str(known[4][0]) for known in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        ]
        closed = [address for address in found if not ipaddress.ip_address(address).is_global]
        if self._careful and closed and host not in self._named:
            raise CallFailed(
                "the address leads into the machine or its own network; name its host in"
                " `[webhooks] private_hosts` if that is meant"
            )
        return found[0], port

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return ssl.create_default_context()


def signature(secret: bytes, timestamp: str, body: bytes) -> str:
    """HMAC-SHA256 of the timestamp, a full stop and the body, in hexadecimal."""
    return hmac.new(secret, timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
