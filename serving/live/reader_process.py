"""A process beside a worker that reads the warehouse for it.

DuckDB, pyarrow and NumPy keep much of what they once took until their process ends: 200 MB after
the orders of a small shop. So a worker leaves reading them to a process that ends when there has
been nothing to read for a while.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import import_module
from threading import Lock
from typing import IO, TYPE_CHECKING, Any, Protocol, TypeVar

from features.errors import SaysoError

if TYPE_CHECKING:  # a worker starts the process before it imports anything of these
    from features.shop.shop import Shop
    from features.shop.workspace import Workspace

REST_AFTER_SECONDS = 5.0
"""How long the process waits for more to read; starting it takes about a second."""

Found = TypeVar("Found")


class Reading(Protocol):
    """Where a shop is read: here, or in a process of its own."""

    def __call__(self, read: Callable[[Shop], Found], shop: Shop) -> Found:
        """What `read` finds in the shop."""


class ReaderEnded(SaysoError):
    """The process that reads the warehouse ended before it answered."""


def read_here(read: Callable[[Shop], Found], shop: Shop) -> Found:
    """What `read` finds in the shop, read in this very process."""
    return read(shop)


class ReaderProcess:
    """Reads in a process that imports `modules` when it starts; called as `read_here` is, with a
    function of one of them.
    """

    def __init__(self, modules: Sequence[str] = ()) -> None:
        self._modules = modules
        self._process: subprocess.Popen[bytes] | None = None
        self._one_at_a_time = Lock()
        self._used = time.monotonic()

    def __call__(self, read: Callable[[Shop], Found], shop: Shop) -> Found:
        """What `read` finds in the workspace of `shop`, and what it raises.

        Raises `ReaderEnded` where the process ended meanwhile; the next call starts another.
        """
        with self._one_at_a_time:
            found, fault = self._ask(read, shop.workspace)
            self._used = time.monotonic()
        if fault is not None:
            raise fault
        return found  # type: ignore[no-any-return]  # what comes out of a pipe has no type

    def _ask(
        self, read: Callable[[Shop], Found], workspace: Workspace
    ) -> tuple[Any, Exception | None]:
        process = self.wake()
        try:
            _send((workspace, read), process.stdin)
            return pickle.load(process.stdout)  # type: ignore[arg-type,no-any-return]  # noqa: S301 - our own process wrote it
        except (EOFError, OSError) as error:
            self.close()
            raise ReaderEnded("the process that reads the warehouse ended early") from error

    def wake(self) -> subprocess.Popen[bytes]:
        """Start the process if it does not run; it imports its modules meanwhile."""
        if self._process is not None and self._process.poll() is not None:
            self.close()
        if self._process is None:
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                [sys.executable, "-m", __name__, *self._modules],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                start_new_session=True,  # Ctrl-C is for the worker, and ends this one with it
            )
        return self._process

    def rest(self) -> bool:
        """End the process if nothing was read for `REST_AFTER_SECONDS`; whether it ended now."""
        tired = self._process is not None and time.monotonic() - self._used > REST_AFTER_SECONDS
        if tired:
            self.close()
        return tired

    def close(self) -> None:
        """End the process, whatever it is reading."""
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            process.wait()  # first, so that nobody waits for an answer when the pipes are closed
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with suppress(OSError):  # a question that it did not take any more
                        pipe.close()


def _send(message: object, pipe: IO[bytes] | None) -> None:
    if pipe is None:
        raise ReaderEnded("the process that reads the warehouse cannot be asked")
    pickle.dump(message, pipe)
    pipe.flush()


def main() -> None:
    """Answer what is asked on stdin until that is closed."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # so that nothing else that is printed comes between the answers
    for module in sys.argv[1:]:
        import_module(module)
    shop: Shop | None = None
    while True:
        try:
            workspace, read = pickle.load(sys.stdin.buffer)  # noqa: S301 - our own process wrote it
        except EOFError:
            return
        if shop is None or shop.workspace != workspace:
            shop = _shop(workspace)
        _send(_answer(read, shop), answers)


def _shop(workspace: Workspace) -> Shop:
    from features.database.engine import Database  # noqa: PLC0415 - not in the asking process
    from features.shop.shop import Shop  # noqa: PLC0415 - see above

    shop = Shop(workspace)
    shop.database = Database(workspace.database_url)  # the worker has migrated it
    return shop


def _answer(read: Callable[[Shop], Found], shop: Shop) -> tuple[Found | None, Exception | None]:
    try:
        return read(shop), None
    except Exception as error:  # noqa: BLE001 - whoever asked hears of it
        return None, error


if __name__ == "__main__":
    main()
