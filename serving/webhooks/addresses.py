"""Where calls may go: to nowhere within the machine, its network or its cloud.

A name is looked up when an address is taken and again for each call, and the call goes to the very
address that was looked at; no redirect is followed. So nobody has the service reach what the
outside cannot (OWASP's server-side request forgery).
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network
from urllib.parse import SplitResult, urlsplit

from features.errors import SaysoError

PORTS = {"http": 80, "https": 443}
TRANSLATED = IPv6Network("64:ff9b::/96")
"""Addresses whose last four bytes are an IPv4 address (RFC 6052)."""
LONGEST = 2_000


class AddressRefused(SaysoError):
    """An address that is not called; the message says why."""

    def __init__(self, message: str, *, field: str = "url") -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True)
class Rules:
    """Which addresses may be called: with `only_https` none in the clear, with `only_public` none
    within, but for the hosts in `named`.
    """

    only_https: bool = True
    only_public: bool = True
    named: Collection[str] = ()

    def check(self, url: str) -> None:
        """Raises `AddressRefused` for what is no address, or may not be called.

        A name that leads nowhere just now is let through: each call looks at it again.
        """
        parts = self.parts(url)
        try:
            self.resolved(parts)
        except OSError:
            return

    def parts(self, url: str) -> SplitResult:
        """The parts of an address. Raises `AddressRefused` where they cannot be called."""
        try:
            parts = urlsplit(url)
            host, _ = parts.hostname, parts.port
        except ValueError:
            raise AddressRefused("this is no address; write one as https://HOST/PATH") from None
        if parts.scheme not in PORTS or not host or len(url) > LONGEST or not url.isprintable():
            raise AddressRefused("this is no address; write one as https://HOST/PATH")
        if parts.username is not None or parts.password is not None or " " in url:
            raise AddressRefused("an address holds no blank, no user and no password")
        if self.only_https and parts.scheme != "https":
            raise AddressRefused("the call has to go to an https address in production")
        return parts

    def resolved(self, parts: SplitResult) -> tuple[str, int]:
        """The address and the port that a call goes to.

        Raises `AddressRefused` where any address of the host is within, and `OSError` where there
        is none.
        """
        host, port = parts.hostname or "", parts.port or PORTS[parts.scheme]
        try:
            known = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except UnicodeError:  # a label that is too long
            raise AddressRefused(f"{host[:64]!r} is no name of a host") from None
        found = [str(one[4][0]) for one in known]
        if self.only_public and host not in self.named and not all(map(is_public, found)):
            raise AddressRefused(
                "the address leads into the machine or its own network; name its host in"
                " `[webhooks] private_hosts` of sayso.toml if that is meant"
            )
        return found[0], port


def is_public(address: str) -> bool:
    """Whether an IP address is one of the internet, also by what it stands for in another form."""
    plain = _meant(ipaddress.ip_address(address.partition("%")[0]))
    return plain.is_global and not (plain.is_multicast or plain.is_reserved)


def _meant(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that an IPv6 address leads to, where it does."""
    if isinstance(address, IPv4Address):
        return address
    if address in TRANSLATED:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = None if address.teredo is None else address.teredo[1]
    return address.ipv4_mapped or address.sixtofour or teredo or address
