"""The call `code wanted`: the shop is told that a customer waits for a one-time code, so that it
makes one and delivers it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from features.clock import Clock, utc_now
from serving.access.one_time_codes import OneTimeCodes
from serving.access.signed_calls import CallFailed, SignedCalls

EVENT = "code wanted"
FIRST_WAIT, LONGEST_WAIT = 2.0, 300.0
"""Seconds to wait after a call failed: twice as long each time, and at most so long."""
AT_A_TIME = 20
"""Calls in one look, so that what else is looked for does not wait long."""

log = logging.getLogger("sayso.webhooks")


class CodeCalls:
    """Tells the shop of each code that is wanted, once by all workers together.

    What was not taken is sent again, by the same `Sayso-Delivery`, for as long as the customer
    waits.
    """

    def __init__(
        self,
        codes: OneTimeCodes,
        calls: SignedCalls,
        clock: Clock = utc_now,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._codes, self._calls, self._clock, self._seconds = codes, calls, clock, seconds
        self._wait = 0.0
        self._again = float("-inf")

    def look(self) -> None:
        """Send what is due. Called in the background, never while a request is answered."""
        if self._seconds() < self._again:
            return
        for wanted in self._codes.wanted(untold=True)[:AT_A_TIME]:
            if not self._codes.claim(wanted):
                continue  # another worker tells it
            document = {
                "event": EVENT,
                "customer_id": wanted.customer_id,
                "good_for": wanted.good_for,
                "wanted_at": wanted.wanted_at,
            }
            try:
                self._calls.send(document, self._clock())
            except CallFailed as error:
                self._codes.release(wanted)
                self._put_off(error)
                return
            self._wait = 0.0

    def _put_off(self, error: CallFailed) -> None:
        self._wait = min(max(2 * self._wait, FIRST_WAIT), LONGEST_WAIT)
        self._again = self._seconds() + self._wait
        log.warning("`%s` is sent again in %.0f seconds: %s", EVENT, self._wait, error)
