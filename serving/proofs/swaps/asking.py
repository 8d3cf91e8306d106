"""Callers that keep asking a service which model answers, each time by a new connection, so that
every worker is asked.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from itertools import cycle

CALLERS = 4
LONGEST = 30.0


@dataclass(frozen=True)
class Named:
    """The version that an answer names, and when it was asked for, by a clock that only goes
    forward.
    """

    begun: float
    version: str


@dataclass
class Heard:
    """What callers heard so far: versions, and requests that failed with how they did."""

    named: list[Named] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def last_without(self, version: str, since: float) -> float | None:
        """When the last answer that names another version was asked for, after `since`."""
        others = [
            told.begun for told in self.named if told.begun > since and told.version != version
        ]
        return max(others, default=None)

    def count_since(self, moment: float) -> int:
        """How many answers were asked for after `moment`."""
        return sum(told.begun > moment for told in self.named)


@contextmanager
def asking(port: int, key: str, customers: Sequence[str]) -> Iterator[Heard]:
    """Callers ask for recommendations, as fast as they are answered, while the block runs."""
    heard, over = Heard(), threading.Event()

    def go_on(number: int) -> None:
        for customer in cycle([*customers[number:], *customers[:number]]):
            if over.is_set():
                return
            _ask(port, key, customer, heard)

    callers = [threading.Thread(target=go_on, args=(number,)) for number in range(CALLERS)]
    for caller in callers:
        caller.start()
    try:
        yield heard
    finally:
        over.set()
        for caller in callers:
            caller.join()


def _ask(port: int, key: str, customer: str, heard: Heard) -> None:
    begun = time.monotonic()
    line = HTTPConnection("127.0.0.1", port, timeout=LONGEST)
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    body = json.dumps({"customer_id": customer, "explain": "none"})
    try:
        line.request("POST", "/v1/recommendations", body, headers)
        answer = line.getresponse()
        said = json.load(answer)
    except (OSError, HTTPException, ValueError) as error:
        heard.failed.append(f"got no answer ({type(error).__name__})")
        return
    finally:
        line.close()
    if answer.status != 200:
        heard.failed.append(f"got {answer.status}")
    elif said["model"] is None:
        heard.failed.append(f"was not personalised ({said['not_personalized_because']})")
    else:
        heard.named.append(Named(begun, said["model"]["version"]))
