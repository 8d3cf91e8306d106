"""Makes the calls that are due: at least once each, later and later where they are not taken."""

from __future__ import annotations

import json
import logging
import random
import time
from collections.abc import Callable, Mapping
from datetime import timedelta

from features.clock import Clock
from features.customers.vault import PayloadGone, Vault
from features.database.engine import Database
from features.shop.shop import Shop
from serving.webhooks.addresses import Rules
from serving.webhooks.following import Following
from serving.webhooks.outbox import Outbox, about
from serving.webhooks.queue import Due, Queue
from serving.webhooks.signed_calls import CallFailed, SignedCalls
from serving.webhooks.targets import Targets

FIRST_WAIT, LONGEST_WAIT = 2.0, 3_600.0
"""Seconds to wait after a call failed: twice as long each time, and at most so long."""
AT_A_TIME = 20
"""Calls in one look."""

log = logging.getLogger("sayso.webhooks")


def wait_after(failures: int, drawn: float) -> float:
    """Seconds to wait after so many failures; `drawn` (0 to 1) scatters the second half of it, so
    that those who failed together do not come back together.
    """
    whole: float = min(FIRST_WAIT * 2.0 ** min(failures - 1, 30), LONGEST_WAIT)
    return whole * (0.5 + 0.5 * drawn)


class Courier:
    """One worker's part in making the calls of a database.

    An address that failed is left alone by this worker for a while, whatever is due to it, so that
    a receiver that is away does not hold up the others.
    """

    def __init__(
        self,
        database: Database,
        vault: Vault,
        targets: Targets,
        calls: SignedCalls,
        clock: Clock,
        seconds: Callable[[], float] = time.monotonic,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._database, self._vault, self._targets = database, vault, targets
        self._calls, self._clock, self._seconds, self._draw = calls, clock, seconds, draw
        self._queue = Queue(database, clock)
        self._following = Following(database, Outbox(vault, targets), clock)
        self._failures: dict[str, int] = {}
        self._again: dict[str, float] = {}

    @classmethod
    def of(cls, shop: Shop) -> Courier | None:
        """That of a shop; None where it has no secret to sign with."""
        secret = shop.workspace.settings.webhook_secret
        if secret is None:
            return None
        calls = SignedCalls(secret.get_secret_value())
        return cls(shop.database, shop.vault, Targets.of(shop), calls, shop.clock)

    def look(self) -> None:
        """Note what is new and make the calls that are due.

        Called in the background, never while a request is answered.
        """
        self._following.look()
        due = self._queue.due(AT_A_TIME, self._left_alone())
        if not due:
            return
        addresses = self._targets.addresses()
        for call in due:
            if call.webhook_id not in self._left_alone() and self._queue.claim(call):
                self._make(call, addresses.get(call.webhook_id))

    def _left_alone(self) -> list[str]:
        now = self._seconds()
        return [id for id, again in self._again.items() if again > now]

    def _make(self, call: Due, address: tuple[str, Rules] | None) -> None:
        document = self._document(call)
        if document is None or address is None:  # the customer, or the address, is gone
            self._queue.taken(call)
            return
        try:
            self._calls.send(*address, document, call.event_id, self._clock())
        except CallFailed as error:
            self._put_off(call, error)
        else:
            self._queue.taken(call)
            self._failures.pop(call.webhook_id, None)

    def _document(self, call: Due) -> Mapping[str, str | int] | None:
        try:
            with self._database.read() as connection:
                content = self._vault.opened(
                    connection, call.customer, call.content, about(call.id)
                )
        except PayloadGone:
            return None
        return dict(json.loads(content))

    def _put_off(self, call: Due, error: CallFailed) -> None:
        failures = self._failures[call.webhook_id] = self._failures.get(call.webhook_id, 0) + 1
        drawn = self._draw()
        self._again[call.webhook_id] = self._seconds() + wait_after(failures, drawn)
        wait = wait_after(call.tries + 1, drawn)
        self._queue.failed(call, str(error), timedelta(seconds=wait))
        log.warning("a call to %s is made again in %.0f seconds: %s", call.webhook_id, wait, error)
