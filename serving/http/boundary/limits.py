"""How often one key, one link or one address may come; kept in memory, by worker."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock

from fastapi import Request

from features.config.environment import Settings
from serving.http.boundary.lanes import too_many

REMEMBERED = 10_000
"""Names that are told apart; the one that came longest ago is forgotten first."""
WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
FREE_FAILURES = 5
"""Failures within a minute that are answered at once."""
LONGEST_DELAY = 1.0
MOST_DELAYED = 64
LOGGED_EVERY_SECONDS = 10.0

log = logging.getLogger("sayso.access")


@dataclass
class _Bucket:
    left: float
    at: float


class Rate:
    """`burst` at once, and `per_second` in the long run, for each name."""

    def __init__(self, per_second: float, burst: float) -> None:
        self._per_second = per_second
        self._burst = max(1.0, burst)
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()
        self._one_at_a_time = Lock()

    def take(self, name: str, now: float | None = None) -> float:
        """Seconds until `name` may come; 0 where it may come now, which is counted then."""
        with self._one_at_a_time:
            return self._taken(name, time.monotonic() if now is None else now)

    def _taken(self, name: str, now: float) -> float:
        bucket = self._buckets.pop(name, None) or _Bucket(self._burst, now)
        bucket.left = min(self._burst, bucket.left + (now - bucket.at) * self._per_second)
        bucket.at = now
        self._buckets[name] = bucket
        while len(self._buckets) > REMEMBERED:
            self._buckets.popitem(last=False)
        if bucket.left >= 1.0:
            bucket.left -= 1.0
            return 0.0
        return (1.0 - bucket.left) / self._per_second


class Failures:
    """Wrong keys and logins: the first of a minute are answered at once, more later and later, and
    in the end none.

    Who holds a valid key is let in however many others fail from the same address.
    """

    def __init__(self, per_minute: float) -> None:
        self._refused = Rate(per_minute / 60, per_minute)
        self._at_once = Rate(FREE_FAILURES / 60, FREE_FAILURES)
        self._delayed = 0
        self._unlogged = 0
        self._logged = -LOGGED_EVERY_SECONDS

    def count(self, request: Request, what: str) -> float:
        """One more failed from where `request` came: seconds to let them wait for the answer.

        Raises `Refused` (429) where there were too many.
        """
        self._log(what)
        address = request.client.host if request.client else ""
        if wait := self._refused.take(address):
            raise too_many(f"Too many wrong {what} came from this address.", wait)
        wait = self._at_once.take(address)
        if not wait:
            return 0.0
        if self._delayed >= MOST_DELAYED:
            raise too_many(f"Too many wrong {what} came at once.", wait)
        self._delayed += 1
        delay = min(LONGEST_DELAY, wait / 10)
        asyncio.get_running_loop().call_later(delay, self._answered)
        return delay

    def _answered(self) -> None:
        self._delayed -= 1

    def _log(self, what: str) -> None:
        self._unlogged += 1
        now = time.monotonic()
        if now - self._logged >= LOGGED_EVERY_SECONDS:
            log.warning("wrong %s: %d since this was last said", what, self._unlogged)
            self._logged, self._unlogged = now, 0


class Limits:
    """The limits of one worker."""

    def __init__(self, settings: Settings) -> None:
        self._keys = Rate(settings.key_per_second, 2 * settings.key_per_second)
        self._links = Rate(settings.link_per_minute / 60, settings.link_per_minute)
        self._writes = Rate(settings.link_writes_per_minute / 60, settings.link_writes_per_minute)
        self.failures = Failures(settings.failures_per_minute)

    def count_key(self, id: str) -> None:
        """A request with a key. Raises `Refused` (429)."""
        if wait := self._keys.take(id):
            raise too_many("This API key sends more requests than it may.", wait)

    def count_link(self, request: Request) -> None:
        """A request with a customer's link, if it has one. Raises `Refused` (429)."""
        token = request.path_params.get("token")
        if token is None:
            return
        link = hashlib.sha256(str(token).encode("utf-8", "replace")).hexdigest()
        wait = self._links.take(link)
        if request.method in WRITES:
            wait = wait or self._writes.take(link)
        if wait:
            raise too_many("This link is used more often than it may be.", wait)


def limits_of(request: Request) -> Limits:
    """The limits of the worker that a request came to."""
    limits: Limits = request.app.state.limits
    return limits
