"""Looking for changes in the background: a promotion, a refreshed warehouse.

No answer waits for it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

LOOK_EVERY_SECONDS = 1.0

log = logging.getLogger("sayso.watch")


class Watch:
    """Calls `looks` at once and then every few seconds, so that a service started too early, or
    during a fault, recovers.
    """

    def __init__(self, looks: Sequence[Callable[[], None]]) -> None:
        self._looks = list(looks)
        self._stop = threading.Event()
        self._failing: set[int] = set()

    def also(self, look: Callable[[], None]) -> None:
        """Call `look` too, after the others."""
        self._looks.append(look)

    def start(self) -> None:
        """Look now, and go on in the background until `stop`."""
        self.look()
        self.start_beside()

    def start_beside(self) -> None:
        """Look in the background until `stop`, the first time soon; where there is nothing to look
        for, not at all.
        """
        if self._looks:
            threading.Thread(target=self._keep_looking, name="watch", daemon=True).start()

    def stop(self) -> None:
        """Look no more."""
        self._stop.set()

    def _keep_looking(self) -> None:
        while not self._stop.wait(LOOK_EVERY_SECONDS):
            self.look()

    def look(self) -> None:
        """Call every look once."""
        for position, look in enumerate(self._looks):
            try:
                look()
                self._failing.discard(position)
            except Exception as error:  # noqa: BLE001 - whatever it is, the next look may go well
                # A fault lasts, and its log must not fill the disk; its text and traceback may hold
                # what customers shared.
                if position not in self._failing:
                    log.error(  # noqa: TRY400 - as said above
                        "a look for changes failed and is tried again every few seconds: %s",
                        type(error).__name__,
                    )
                self._failing.add(position)
