"""What keeps a service from answering as it should: looked at in a thread of its own, so that
nobody waits for what does not respond.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from features.database.engine import Database
from features.errors import SaysoError
from features.shop.workspace import Workspace

GOOD_FOR_SECONDS = 1.0
ROOM_BYTES = 64 * 1024

Check = Callable[[], None]
"""Raises where something is wrong."""


class NotReady(SaysoError):
    """Part of the service cannot do its work; the message says which and what to do."""


@dataclass(frozen=True)
class Condition:
    """What was found: faults and warnings by the part that they are of."""

    faults: Mapping[str, str]
    warnings: Mapping[str, str]

    @property
    def ready(self) -> bool:
        """Whether the service can answer as it should."""
        return not self.faults


class Health:
    """Checks the parts of a service, in the background and at most once a second."""

    def __init__(self, checks: Mapping[str, Check], warnings: Mapping[str, Check]) -> None:
        self._checks = checks
        self._warnings = warnings
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="health")
        self._lock = threading.Lock()
        self._looking: Future[Condition] | None = None
        self._at = ""
        self._found: tuple[float, Condition] | None = None

    def look(self) -> Future[Condition]:
        """The condition, as soon as it is known."""
        with self._lock:
            if self._found and time.monotonic() - self._found[0] < GOOD_FOR_SECONDS:
                known: Future[Condition] = Future()
                known.set_result(self._found[1])
                return known
            if self._looking is None or self._looking.done():
                self._looking = self._thread.submit(self._check)
            return self._looking

    def unanswered(self) -> Condition:
        """What is known while a check does not come back."""
        part = self._at or "service"
        return Condition({part: "It does not respond."}, {})

    def close(self) -> None:
        """Look no more."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _check(self) -> Condition:
        found = Condition(self._failing(self._checks), self._failing(self._warnings))
        self._found = (time.monotonic(), found)
        return found

    def _failing(self, checks: Mapping[str, Check]) -> dict[str, str]:
        failing = {}
        for self._at, check in checks.items():
            try:
                check()
            except NotReady as error:
                failing[self._at] = str(error)
            except Exception as error:  # noqa: BLE001 - whatever it is keeps the part from its work
                failing[self._at] = f"It cannot be used ({type(error).__name__})."
        self._at = ""
        return failing


def check_database(database: Database) -> None:
    """It can be read and written."""
    with database.write() as connection:
        if connection.dialect.name == "postgresql":
            level = connection.exec_driver_sql("SHOW transaction_read_only").scalar_one()
            if level == "on":
                raise NotReady("The database takes no changes; it is read-only.")
        else:
            connection.exec_driver_sql("UPDATE ledger_head SET seq = seq WHERE 0")


def check_disk(workspace: Workspace) -> None:
    """There is room on the disk of the workspace, and it can be written."""
    try:
        with tempfile.TemporaryFile(dir=workspace.root) as file:
            file.write(b"0" * ROOM_BYTES)
            file.flush()
    except OSError as error:
        raise NotReady(
            f"Nothing can be written in the workspace ({error.strerror}). Make room on its disk."
        ) from None


def check_keys(workspace: Workspace) -> None:
    """The master keys and the secret that signs links can be read; none is made here."""
    settings = workspace.settings
    stated = {
        workspace.master_keys.file: settings.master_key,
        workspace.root / "secret": settings.secret,
    }
    for file, given in stated.items():
        if given is None and not file.is_file():
            raise NotReady(f"The file {file.name} is not in the workspace. Put it back.")
    workspace.master_keys.all()


def check_data(old_record: str) -> None:
    """The record is not old; `old_record` is its end where it is."""
    if old_record:
        raise NotReady(f"The newest data is of {old_record[:10]}. Run `sayso ingest`.")
