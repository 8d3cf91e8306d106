"""When each key was last used: noted in memory at every request, written down now and then."""

from __future__ import annotations

from datetime import datetime, timedelta

from features.clock import Clock, utc_now
from serving.access.api_keys import Keys

WRITTEN_EVERY = timedelta(minutes=1)


class KeyUses:
    """The uses of keys that this process saw.

    `note` writes nothing, so no request waits for it; `look` is called in the background and writes
    of one key once a minute at the most.
    """

    def __init__(self, keys: Keys, clock: Clock = utc_now) -> None:
        self._keys = keys
        self._clock = clock
        self._used: set[str] = set()
        self._written: dict[str, datetime] = {}

    def note(self, key_id: str) -> None:
        """A key was used."""
        self._used.add(key_id)

    def look(self) -> None:
        """Write down what is due."""
        now = self._clock()
        due = [
            id
            for id in list(self._used)
            if id not in self._written or now - self._written[id] >= WRITTEN_EVERY
        ]
        if not due:
            return
        self._used.difference_update(due)
        self._keys.note_uses(due)
        self._written.update(dict.fromkeys(due, now))
