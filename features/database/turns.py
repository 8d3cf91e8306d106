"""Whose turn it is to write, within one process: one at a time, what customers choose first.

The databases let one transaction write at a time. SQLite lets the others try again now and then, so
that one of them may be overtaken for a second; here they stand in line before they ask.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from features.errors import SaysoError


class DatabaseBusy(SaysoError):
    """Others kept writing for longer than one waits."""


class WriteTurns:
    """A lock that lets who is urgent go before all others."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._taken = False
        self._urgent = 0

    @contextmanager
    def take(self, seconds: float, *, urgent: bool) -> Iterator[None]:
        """Hold the turn while the block runs. Raises `DatabaseBusy` after so many `seconds`."""
        with self._changed:
            self._urgent += urgent
            try:
                mine = self._changed.wait_for(
                    lambda: not self._taken and (urgent or not self._urgent), seconds
                )
            finally:
                self._urgent -= urgent
            if not mine:
                self._changed.notify_all()
                raise DatabaseBusy(f"the database was written to by others for {seconds:g} seconds")
            self._taken = True
        try:
            yield
        finally:
            with self._changed:
                self._taken = False
                self._changed.notify_all()
