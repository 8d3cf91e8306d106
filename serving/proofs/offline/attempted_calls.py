"""What strace wrote down: which connections were attempted, and which of them lead out of this
machine.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass

SYSTEM_CALLS = "connect,sendto,sendmsg,sendmmsg"
ADDRESS = re.compile(
    r"sa_family=(?P<family>AF_\w+)"
    r"(?:, sun_path=@?\"(?P<path>[^\"]*)\")?"
    r"(?:, sin6?_port=htons\((?P<port>\d+)\))?"
    r"(?:.*?(?:inet_addr\(|inet_pton\(AF_INET6, )\"(?P<host>[^\"]+)\")?"
)
WITHIN = ("AF_UNIX", "AF_NETLINK", "AF_UNSPEC")
"""Families that never leave the machine."""
NAMES = 53
"""Port of name servers: one on this machine asks others, so it counts as elsewhere."""
NAME_SERVICE = "systemd/resolve"
"""Part of the path of the socket that looks names up."""


@dataclass(frozen=True)
class Attempt:
    """A connection or message to an address."""

    family: str
    host: str
    port: int

    @property
    def leads_out(self) -> bool:
        """Whether it would leave this machine, or asks for a name that somebody elsewhere would
        have to tell.
        """
        if self.family in WITHIN:
            return NAME_SERVICE in self.host
        return (
            self.family not in ("AF_INET", "AF_INET6")
            or self.port == NAMES
            or not _is_this_machine(self.host)
        )

    def __str__(self) -> str:
        """The address."""
        return f"{self.family} {self.host} port {self.port}"


def attempts(lines: Iterable[str]) -> list[Attempt]:
    """Every address that the traced calls name; a call on a connection that exists already names
    none.
    """
    return [
        Attempt(m["family"], m["host"] or m["path"] or "", int(m["port"] or 0))
        for line in lines
        for m in ADDRESS.finditer(line)
    ]


def _is_this_machine(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return address.is_loopback or (mapped is not None and mapped.is_loopback)
