"""Where requests are answered: a few threads, a bounded queue before them, and a time limit.

Withdrawals, opt-outs and customers' forms have a lane of their own, so that they are taken however
many answers wait. Nothing that may wait for the database or the disk runs in the event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from contextvars import ContextVar, copy_context
from dataclasses import dataclass
from functools import partial
from typing import ParamSpec, TypeVar

from features.config.environment import Settings
from features.database.caller import current_caller
from serving.http.boundary.problems import Refused
from serving.http.sight.counts import WAITING, count_stage

STALLED_AFTER_SECONDS = 2.0
"""A lane none of whose threads came back for so long waits for something outside."""
RETRY_AFTER_SECONDS = 1
CHOICE_THREADS = 2
BATCH_THREADS = 1
"""Batches are answered one after the other: two at once take as long, and more of the rest."""

Given = ParamSpec("Given")
Found = TypeVar("Found")


def too_many(detail: str, seconds: float = RETRY_AFTER_SECONDS) -> Refused:
    """A refusal of what comes too often or at a busy moment."""
    return Refused(429, detail, headers={"Retry-After": str(max(1, round(seconds)))})


def unavailable(detail: str, seconds: float = 2) -> Refused:
    """A refusal while something that answers need is not there."""
    return Refused(503, detail, headers={"Retry-After": str(max(1, round(seconds)))})


class Lane:
    """`threads` that answer, before which at most `waiting` requests wait in turn."""

    def __init__(self, name: str, threads: int, waiting: int, patience: float) -> None:
        """`patience` is how many seconds a request waits for its turn."""
        self.name = name
        self.threads = threads
        self._most_waiting = waiting
        self._patience = patience
        self._free = threads
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._came_back = time.monotonic()
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=f"sayso-{name}")

    @property
    def waiting(self) -> int:
        """How many requests wait for their turn."""
        return len(self._waiting)

    @property
    def is_full(self) -> bool:
        """Whether a request that comes now is refused."""
        return not self._free and len(self._waiting) >= self._most_waiting

    def refusal(self) -> Refused:
        """What a request is told that gets no turn."""
        if not self._free and time.monotonic() - self._came_back > STALLED_AFTER_SECONDS:
            return unavailable("Something that answers need does not respond. Ask again soon.")
        return too_many("More requests came at once than can be answered. Ask again soon.")

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Take a turn on the lane; it is given back when the block is left and its thread is done.

        Raises `Refused` (429 or 503) where there is none in time.
        """
        began = time.monotonic()
        await self._enter()
        count_stage(self.name, "waiting", time.monotonic() - began)
        jobs: list[Future[object]] = []
        token = _JOBS.set(_Turn(self.name, self._executor, jobs))
        try:
            yield
        finally:
            _JOBS.reset(token)
            if jobs and not jobs[-1].done():
                loop = asyncio.get_running_loop()
                jobs[-1].add_done_callback(partial(_tell, loop, self._leave))
            else:
                self._leave()

    async def _enter(self) -> None:
        if self._free:
            self._free -= 1
            if not self._free:
                self._came_back = time.monotonic()
            return
        if self.is_full:
            raise self.refusal()
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        WAITING.labels(self.name).set(len(self._waiting))
        try:
            await asyncio.wait_for(asyncio.shield(turn), self._patience)
        except BaseException as error:
            if turn.done():  # it came just now, and goes to the next
                self._leave()
            else:
                self._waiting.remove(turn)
                WAITING.labels(self.name).set(len(self._waiting))
            if isinstance(error, TimeoutError):
                raise self.refusal() from None
            raise

    def _leave(self) -> None:
        self._came_back = time.monotonic()
        while self._waiting:
            turn = self._waiting.popleft()
            WAITING.labels(self.name).set(len(self._waiting))
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1

    def close(self) -> None:
        """Take no more work."""
        self._executor.shutdown(wait=False, cancel_futures=True)


@dataclass(frozen=True)
class _Turn:
    lane: str
    executor: ThreadPoolExecutor
    jobs: list[Future[object]]


_JOBS: ContextVar[_Turn] = ContextVar("turn")


@dataclass(frozen=True)
class Lanes:
    """The lanes of one worker: `answers`, `choices` of customers, and `batches` of answers."""

    answers: Lane
    choices: Lane
    batches: Lane

    @classmethod
    def of(cls, settings: Settings) -> Lanes:
        """As the settings say."""
        patience = settings.answer_seconds / 2
        return cls(
            Lane("answers", settings.threads, settings.queue, patience),
            Lane("choices", CHOICE_THREADS, settings.queue, patience),
            Lane("batches", BATCH_THREADS, settings.queue, patience),
        )

    def close(self) -> None:
        """Take no more work."""
        self.answers.close()
        self.choices.close()
        self.batches.close()


async def in_thread(
    work: Callable[Given, Found], /, *arguments: Given.args, **named: Given.kwargs
) -> Found:
    """What `work` gives, done in a thread of the lane on which the request has its turn.

    Raises `Refused` (503) where it takes longer than the caller waits; what it writes to the
    database afterwards is rolled back.
    """
    turn, caller, began = _JOBS.get(), current_caller(), time.monotonic()
    job = turn.executor.submit(copy_context().run, partial(work, *arguments, **named))
    turn.jobs.append(job)  # type: ignore[arg-type]  # nobody reads what it gives from there
    done = asyncio.wrap_future(job)
    done.add_done_callback(_heard)
    await asyncio.wait([done], timeout=None if caller is None else caller.seconds_left)
    count_stage(turn.lane, "working", time.monotonic() - began)
    if not done.done():
        if caller is not None:
            caller.give_up()
        raise unavailable("The answer took too long and was given up. Ask again soon.")
    return done.result()


def _heard(done: asyncio.Future[Found]) -> None:
    """So that an error for which nobody waits any more is not printed with what it holds."""
    if not done.cancelled():
        done.exception()


def _tell(loop: asyncio.AbstractEventLoop, what: Callable[[], None], _job: Future[object]) -> None:
    with contextlib.suppress(RuntimeError):  # the service has stopped meanwhile
        loop.call_soon_threadsafe(what)
