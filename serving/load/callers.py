"""Callers that ask a service one request after the other over connections that stay open, in one
process and at as little cost as can be, since they share the machine with what they measure.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any

import numpy as np

GOOD = b"HTTP/1.1 200"
LENGTH = b"content-length:"
HEAD_END = b"\r\n\r\n"


@dataclass
class Took:
    """Milliseconds that each answer took, how many failed, and bytes answered."""

    times: list[float] = field(default_factory=list)
    failed: int = 0
    answered: int = 0
    seconds: float = 0.0

    def document(self) -> dict[str, float]:
        """Requests a second, milliseconds at the median and the 99th percentile, and failures."""
        p50, p99 = np.percentile(self.times, [50, 99]).tolist() if self.times else (0.0, 0.0)
        return {
            "rps": len(self.times) / self.seconds if self.seconds else 0.0,
            "p50_ms": p50,
            "p99_ms": p99,
            "requests": len(self.times),
            "failed": self.failed,
        }


def posts(path: str, bodies: Sequence[Mapping[str, Any]], key: str | None = None) -> list[bytes]:
    """Requests as they go over the wire."""
    allowed = f"Authorization: Bearer {key}\r\n" if key else ""
    made = []
    for body in bodies:
        content = json.dumps(body).encode()
        head = (
            f"POST {path} HTTP/1.1\r\nHost: localhost\r\n{allowed}"
            f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        )
        made.append(head.encode() + content)
    return made


def asked(port: int, requests: Sequence[bytes], callers: int, seconds: float) -> Took:
    """What became of `requests`, asked over and over by so many `callers` for so long.

    Raises `ConnectionError` where nobody listens on `port`.
    """
    return asyncio.run(_asked(port, requests, callers, seconds))


async def _asked(port: int, requests: Sequence[bytes], callers: int, seconds: float) -> Took:
    took, following = Took(), cycle(requests)
    loop = asyncio.get_running_loop()
    began = time.perf_counter()
    ends = began + seconds
    made = [
        await loop.create_connection(lambda: _Caller(following, took, ends), "127.0.0.1", port)
        for _ in range(callers)
    ]
    await asyncio.gather(*(caller.done for _, caller in made))
    took.seconds = time.perf_counter() - began
    return took


class _Caller(asyncio.Protocol):
    """One connection, over which the next request goes out when an answer is there."""

    def __init__(self, requests: Iterator[bytes], took: Took, ends: float) -> None:
        self._requests, self._took, self._ends = requests, took, ends
        self._heard = bytearray()
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - that of a connection
        self._transport = transport
        self._ask()

    def data_received(self, data: bytes) -> None:
        self._heard += data
        head = self._heard.find(HEAD_END)
        if head < 0 or len(self._heard) < head + len(HEAD_END) + _length(self._heard[:head]):
            return
        self._took.times.append((time.perf_counter() - self._began) * 1e3)
        self._took.failed += not self._heard.startswith(GOOD)
        self._took.answered += len(self._heard)
        self._heard.clear()
        self._ask()

    def connection_lost(self, _exc: Exception | None) -> None:
        if not self.done.done():
            self._took.failed += 1
            self.done.set_result(None)

    def _ask(self) -> None:
        self._began = time.perf_counter()
        if self._began < self._ends:
            self._transport.write(next(self._requests))
        else:
            self.done.set_result(None)
            self._transport.close()


def _length(head: bytearray) -> int:
    """The length of the body that the head of an answer states."""
    small = bytes(head).lower()
    at = small.find(LENGTH)
    return int(small[at + len(LENGTH) :].split(b"\r\n", 1)[0]) if at >= 0 else 0
