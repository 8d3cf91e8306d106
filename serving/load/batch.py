"""A caller that asks for batches, one after the other over one connection."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from features.errors import SaysoError

PIECE = 1 << 20


class BatchFailed(SaysoError):
    """A batch was refused, or ended early."""


@dataclass(frozen=True)
class Streamed:
    """Customers answered, in so many seconds."""

    customers: int
    seconds: float

    def document(self) -> dict[str, float]:
        """Customers a second, and how many there were."""
        return {"customers_per_second": self.customers / self.seconds, "customers": self.customers}


def streamed(
    port: int, key: str, customer_ids: Sequence[str], size: int, seconds: float
) -> Streamed:
    """What came of batches of `size` recommendations, the next when one is there as a whole, for at
    least so many `seconds`.

    Raises `BatchFailed`, and `ConnectionError` where nobody listens on `port`.
    """
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    line = http.client.HTTPConnection("127.0.0.1", port)
    batches, answered, began = _batches(customer_ids, size), 0, time.perf_counter()
    while time.perf_counter() < began + seconds:
        body = json.dumps({"customer_ids": next(batches)})
        line.request("POST", "/v1/recommendations/batch", body, headers)
        answered += _lines_of(line.getresponse(), size)
    took = time.perf_counter() - began
    line.close()
    return Streamed(answered, took)


def _batches(customer_ids: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    """So many different customers each time, over and over."""
    while True:
        for start in range(0, len(customer_ids) - size + 1, size):
            yield customer_ids[start : start + size]


def _lines_of(answer: http.client.HTTPResponse, size: int) -> int:
    lines = 0
    while piece := answer.read(PIECE):
        lines += piece.count(b"\n")
    if answer.status != 200 or lines != size:
        raise BatchFailed(f"a batch of {size:,} got status {answer.status} and {lines:,} lines")
    return lines
