"""Callers of a service, in a process apart so that they do not slow what measures it.

Run as `python -m serving.proofs.blocking.callers`, with its orders as JSON on stdin; writes what
came of them as JSON on stdout.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any

LONGEST = 60.0
PROBLEM = "application/problem+json"
LATER = frozenset({429, 503})
BETWEEN_CHOICES = 0.1


@dataclass(frozen=True)
class Orders:
    """What to ask: `connections` at a time ask every `pace` seconds (0: as fast as they are
    answered) for `seconds`; one more says what customers choose.
    """

    port: int
    key: str
    customers: Sequence[str]
    connections: int
    pace: float
    seconds: float


@dataclass
class Outcome:
    """What came of it: answers by status, the ids of decisions answered, the places in the ledger
    acknowledged, and what is no answer of the right kind.
    """

    statuses: Counter[str] = field(default_factory=Counter)
    choices: Counter[str] = field(default_factory=Counter)
    decisions: list[str] = field(default_factory=list)
    acknowledged: list[int] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    slowest: float = 0.0
    slowest_choice: float = 0.0
    largest: int = 0

    def judge(self, what: str, status: int, head: Mapping[str, str], body: bytes) -> None:
        """See that an answer is a success, or a problem document that says when to ask again."""
        self.largest = max(self.largest, len(body))
        if status < 300:
            return
        if status not in LATER:
            self.wrong.append(f"{what} got {status}")
        elif not head.get("content-type", "").startswith(PROBLEM):
            self.wrong.append(f"{what} got {status} as {head.get('content-type')}")
        elif "retry-after" not in head:
            self.wrong.append(f"{what} got {status} without Retry-After")


class Line:
    """One connection, opened anew where it was closed."""

    def __init__(self, port: int, key: str) -> None:
        self._port, self._key = port, key
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, path: str, said: Any) -> tuple[int, dict[str, str], bytes]:
        """Status, headers in lower case, and body of the answer."""
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        body = json.dumps(said).encode()
        head = (
            f"POST {path} HTTP/1.1\r\nHost: selftest\r\nAuthorization: Bearer {self._key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        writer.write(head.encode() + body)
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines if line)
        }
        answer = await reader.readexactly(int(headers["content-length"]))
        if headers.get("connection") == "close":
            self.drop()
        return int(first.split()[1]), headers, answer

    def drop(self) -> None:
        """Close it."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


async def ask(orders: Orders, number: int, ends: float, outcome: Outcome) -> None:
    """Keep asking for recommendations on one connection."""
    line = Line(orders.port, orders.key)
    await asyncio.sleep(orders.pace * number / orders.connections)
    customers = cycle([*orders.customers[number:], *orders.customers[:number]])
    while (began := time.monotonic()) < ends:
        said = {"customer_id": next(customers), "explain": "none"}
        found = await _tried(line, "/v1/recommendations", said, outcome)
        took = time.monotonic() - began
        outcome.slowest = max(outcome.slowest, took)
        if found is not None:
            outcome.statuses[str(found[0])] += 1
            if found[0] == 200:
                outcome.decisions.append(json.loads(found[2])["decision_id"])
        await asyncio.sleep(max(0.0, orders.pace - took))
    line.drop()


async def choose(orders: Orders, ends: float, outcome: Outcome) -> None:
    """Keep withdrawing and granting, customer after customer."""
    line = Line(orders.port, orders.key)
    for number, customer in enumerate(cycle(orders.customers)):
        if (began := time.monotonic()) >= ends:
            break
        action = ("withdrawn", "granted")[number // len(orders.customers) % 2]
        said = {
            "customer_id": customer,
            "purpose": "recommendations",
            "category": "purchases",
            "action": action,
            "method": "selftest",
            **({"notice_version": "1"} if action == "granted" else {}),
        }
        found = await _tried(line, "/v1/consents", said, outcome)
        outcome.slowest_choice = max(outcome.slowest_choice, time.monotonic() - began)
        if found is not None:
            outcome.choices[str(found[0])] += 1
            if found[0] == 201:
                outcome.acknowledged.append(json.loads(found[2])["seq"])
        await asyncio.sleep(BETWEEN_CHOICES)
    line.drop()


async def _tried(
    line: Line, path: str, said: Any, outcome: Outcome
) -> tuple[int, dict[str, str], bytes] | None:
    try:
        found = await asyncio.wait_for(line.post(path, said), LONGEST)
    except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
        outcome.wrong.append(f"{path} got no answer ({type(error).__name__})")
        line.drop()
        return None
    outcome.judge(path, *found)
    return found


async def call(orders: Orders) -> Outcome:
    """Do what is ordered."""
    outcome, ends = Outcome(), time.monotonic() + orders.seconds
    asking = (ask(orders, number, ends, outcome) for number in range(orders.connections))
    await asyncio.gather(choose(orders, ends, outcome), *asking)
    return outcome


def main() -> None:
    """Follow the orders on stdin."""
    outcome = asyncio.run(call(Orders(**json.load(sys.stdin))))
    json.dump(vars(outcome), sys.stdout)


if __name__ == "__main__":
    main()
