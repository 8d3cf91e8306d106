"""A program that does what no part of Sayso may do, so that a selftest can show that it would be
seen.

The addresses are those that RFC 5737, RFC 3849 and RFC 2606 set aside for examples.
"""

from __future__ import annotations

import contextlib
import socket

PLANTED = ("192.0.2.1", "198.51.100.1", "2001:db8::1")
NAME = "telemetry.invalid"


def main() -> None:
    """Try a connection, a message, the same over IPv6, and to look a name up."""
    with contextlib.suppress(OSError):
        socket.create_connection((PLANTED[0], 443), timeout=1)
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as messages:
        messages.sendto(b"version", (PLANTED[1], 8125))
    with contextlib.suppress(OSError):
        socket.create_connection((PLANTED[2], 443), timeout=1)
    with contextlib.suppress(OSError):
        socket.getaddrinfo(NAME, 443)


if __name__ == "__main__":
    main()
