"""One race: callers keep asking for a customer's answer while the customer switches something
off.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import httpx

from serving.proofs.stage.switches import Answer, Switch

CALLERS = 6
"""Callers at a time, so that some wait while all four threads of the service are at work."""
HEAD_START = 30.0
"""Seconds within which the first answers have to come."""


@dataclass(frozen=True)
class Asked:
    """An answer, and when it was asked for and received, by a clock that only goes forward."""

    begun: float
    ended: float
    answer: Answer


@dataclass(frozen=True)
class Race:
    """What came of it: when the switch was `sent` and `acknowledged`, its receipt, and all
    answers.
    """

    switch: Switch
    sent: float
    acknowledged: float
    receipt: Answer
    asked: Sequence[Asked]

    @property
    def judged(self) -> list[Asked]:
        """Answers asked for after the acknowledgement."""
        return [asked for asked in self.asked if asked.begun > self.acknowledged]

    @property
    def in_flight(self) -> list[Asked]:
        """Answers that were on their way while the switch was."""
        return [
            asked
            for asked in self.asked
            if asked.begun <= self.acknowledged and asked.ended >= self.sent
        ]

    @property
    def used_before(self) -> bool:
        """Whether an answer that began before the acknowledgement used what was switched off."""
        return any(
            self.switch.used_in(asked.answer)
            for asked in self.asked
            if asked.begun <= self.acknowledged
        )

    @property
    def disobeyed(self) -> int:
        """How many judged answers did not obey."""
        return sum(not self.switch.obeyed_by(asked.answer, self.receipt) for asked in self.judged)


class Track:
    """Where races are run: callers of the service at `url` with a key for everything, and in turn
    of `others` that share its database. What is switched off is said to the first.
    """

    def __init__(self, url: str, key: str, *others: str) -> None:
        limits = httpx.Limits(max_connections=CALLERS + 1, max_keepalive_connections=CALLERS + 1)
        headers = {"Authorization": f"Bearer {key}"}
        self._http = httpx.Client(headers=headers, timeout=60.0, limits=limits)
        self._urls = (url, *others)
        self._callers = ThreadPoolExecutor(CALLERS)

    def close(self) -> None:
        """Send everybody home."""
        self._callers.shutdown()
        self._http.close()

    def answer(self, route: str, body: Mapping[str, Any], service: int = 0) -> dict[str, Any]:
        """The document of an answer of one of the services.

        Raises `httpx.HTTPStatusError` for anything but a success.
        """
        answer = self._http.post(f"{self._urls[service]}{route}", json=dict(body))
        document: dict[str, Any] = answer.raise_for_status().json()
        return document

    def run(self, switch: Switch, wait: float) -> Race:
        """One race; the switch is sent `wait` seconds after every caller may have had an answer."""
        warm, acknowledged = threading.Semaphore(0), threading.Event()
        callers = [
            self._callers.submit(
                self._keep_asking, switch, warm, acknowledged, number % len(self._urls)
            )
            for number in range(CALLERS)
        ]
        for _ in range(CALLERS):
            warm.acquire(timeout=HEAD_START)
        time.sleep(wait)
        sent = time.perf_counter()
        receipt = self.answer(switch.said_at, switch.said)
        at = time.perf_counter()
        acknowledged.set()
        return Race(
            switch, sent, at, receipt, [asked for caller in callers for asked in caller.result()]
        )

    def _keep_asking(
        self,
        switch: Switch,
        warm: threading.Semaphore,
        acknowledged: threading.Event,
        service: int,
    ) -> list[Asked]:
        """Ask again and again, the last time after the acknowledgement."""
        told: list[Asked] = []
        late = False
        while not late:
            late = acknowledged.is_set()
            begun = time.perf_counter()
            answer = self.answer(switch.asked_at, {"customer_id": switch.customer_id}, service)
            told.append(Asked(begun, time.perf_counter(), answer))
            warm.release()
        return told
