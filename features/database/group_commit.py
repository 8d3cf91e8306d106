"""Group commit: what several threads write at the same time shares one transaction, since what
takes long about a small one is its end, which waits for the disk.

Who comes while nobody writes leads: they do their own work and that of all who wait, and tell each
what became of it. The next of those who came meanwhile leads after that.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from contextvars import Context, copy_context
from typing import Any, TypeVar, cast

from sqlalchemy import Connection

from features.database.caller import Caller, current_caller

MOST_TOGETHER = 64
"""Pieces of work in one transaction, so that nobody who is urgent waits for long."""

Work = Callable[[Connection], Any]
Result = TypeVar("Result")


class Job:
    """Work that a thread wants done in a transaction, within its own context."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._context: Context = copy_context()
        self.caller: Caller | None = current_caller()
        self.turn = threading.Event()
        self.leads = False
        self.result: Any = None
        self.error: BaseException | None = None

    @property
    def is_unwanted(self) -> bool:
        """Whether its caller has given up."""
        return self.caller is not None and self.caller.gave_up

    def do(self, connection: Connection) -> None:
        """Do the work; what it gives is kept until the transaction is committed."""
        self.result = self._context.run(self._work, connection)

    def settle(self, *, committed: bool) -> None:
        """Tell the caller what became of it."""
        if self.caller is not None:
            self.caller.settle(committed=committed)


class GroupCommit:
    """Hands jobs to `commit`, as many at a time as have come.

    `commit` does them all in one transaction or, where one of them fails, each by itself, and
    leaves in each its result or its error.
    """

    def __init__(self, commit: Callable[[list[Job]], None]) -> None:
        self._commit = commit
        self._lock = threading.Lock()
        self._waiting: deque[Job] = deque()
        self._busy = False

    def run(self, work: Callable[[Connection], Result]) -> Result:
        """What `work` gives, once it is durable. Raises what it, or the commit, raises."""
        job = Job(work)
        with self._lock:
            self._waiting.append(job)
            job.leads = not self._busy
            self._busy = True
        if not job.leads:
            job.turn.wait()
        if job.leads:
            self._lead()
        if job.error is not None:
            raise job.error
        return cast("Result", job.result)

    def _lead(self) -> None:
        """Do what has come, and hand on to the next."""
        with self._lock:
            together = [
                self._waiting.popleft() for _ in range(min(len(self._waiting), MOST_TOGETHER))
            ]
        try:
            self._commit(together)
        except BaseException as error:  # noqa: BLE001 - each who waits raises it
            for job in together:
                job.error = job.error or error
        finally:
            for job in together:
                job.leads = False
                job.turn.set()
            with self._lock:
                self._busy = bool(self._waiting)
                if self._waiting:
                    self._waiting[0].leads = True
                    self._waiting[0].turn.set()
