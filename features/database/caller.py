"""Who waits for what a transaction does: nothing is committed for a caller who has given up.

An answer that comes too late is refused with 503, while the thread that makes it may still wait for
the database. When that gets its turn, what it wrote is rolled back. What was committed all the same
is handed out, so that it can be marked as undelivered.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from features.errors import SaysoError


class CallerGone(SaysoError):
    """The caller gave up before the transaction was committed; it was rolled back."""


@dataclass(frozen=True)
class Recorded:
    """Something that was recorded for a caller: its `kind` (decision, consent, opt_out) and the
    `reference` under which it is found.
    """

    kind: str
    reference: str


class Caller:
    """Somebody who waits `seconds` for an answer."""

    def __init__(
        self,
        seconds: float,
        too_late: Callable[[Sequence[Recorded]], None] = lambda _: None,
        *,
        urgent: bool = False,
    ) -> None:
        """`too_late` is told what was committed after they had given up; who is `urgent` writes
        before others.
        """
        self.urgent = urgent
        self._seconds = seconds
        self._too_late = too_late
        self._deadline = time.monotonic() + seconds
        self._lock = threading.Lock()
        self._gave_up = False
        self._pending: list[Recorded] = []
        self._recorded: list[Recorded] = []

    @property
    def gave_up(self) -> bool:
        """Whether nobody waits any more."""
        return self._gave_up

    @property
    def seconds_left(self) -> float:
        """How long the caller still waits."""
        return max(0.0, self._deadline - time.monotonic())

    @property
    def has_recorded(self) -> bool:
        """Whether anything was recorded for them that was not taken yet."""
        return bool(self._recorded)

    def restart(self) -> None:
        """Wait as long as at first, from now on."""
        self._deadline = time.monotonic() + self._seconds

    def give_up(self) -> None:
        """Wait no more."""
        self._gave_up = True

    def note(self, what: Recorded) -> None:
        """`what` is being recorded in the transaction at hand."""
        self._pending.append(what)

    def settle(self, *, committed: bool) -> None:
        """The transaction at hand ended."""
        with self._lock:
            if committed:
                self._recorded += self._pending
            self._pending = []
        if self._gave_up and self._recorded:
            self._too_late(self.take_recorded())

    def take_recorded(self) -> list[Recorded]:
        """What was recorded for this caller and not taken yet."""
        with self._lock:
            taken, self._recorded = self._recorded, []
        return taken


_CALLER: ContextVar[Caller | None] = ContextVar("caller", default=None)


def current_caller() -> Caller | None:
    """Who waits for what this thread or task does; None where nobody in particular does."""
    return _CALLER.get()


@contextmanager
def serving(caller: Caller) -> Iterator[None]:
    """Do what the block does for `caller`."""
    token = _CALLER.set(caller)
    try:
        yield
    finally:
        _CALLER.reset(token)


def note_recorded(kind: str, reference: str) -> None:
    """Tell the caller, if there is one, what the transaction at hand records for them."""
    if caller := _CALLER.get():
        caller.note(Recorded(kind, reference))


def has_given_up() -> bool:
    """Whether there is a caller and they wait no more."""
    caller = _CALLER.get()
    return caller is not None and caller.gave_up
