"""Logs as one JSON object a line, without the id, link or data of any customer.

Of an error stand its kind and the place in our code where it arose; never its text or a traceback,
which may hold what customers shared.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from features import clock
from features.clock import utc_now
from serving.http.sight.request_ids import current_request_id, current_trace

ROOT = f"{Path(__file__).parents[3]}{os.sep}"
PACKAGES = ("features", "models", "explain", "experiments", "serving")
OURS = tuple(f"{ROOT}{package}{os.sep}" for package in PACKAGES)
FIELDS = "sayso_fields"
SAID_EVERY_SECONDS = 5.0

log = logging.getLogger("sayso.http")
access = logging.getLogger("sayso.access")


class JsonLines(logging.Formatter):
    """Writes a record as a line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        said: dict[str, Any] = {
            "at": clock.to_text(utc_now()),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if request_id := current_request_id():
            said |= {"request_id": request_id, "trace_id": current_trace()}
        if record.exc_info is not None and record.exc_info[1] is not None:
            said |= told_of(record.exc_info[1])
        return json.dumps(said | getattr(record, FIELDS, {}), ensure_ascii=False)


def write_json_lines() -> None:
    """Have the project's loggers write JSON lines to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    ours = logging.getLogger("sayso")
    ours.handlers = [handler]
    ours.propagate = False
    ours.setLevel(logging.INFO)


def told_of(error: BaseException) -> dict[str, str]:
    """The kind of an error, and the file and line of ours where it arose."""
    return {"fault": type(error).__name__, "where": place_of(error.__traceback__)}


def place_of(traceback: TracebackType | None) -> str:
    """The innermost place of a traceback that is in our own code."""
    found = ""
    while traceback is not None:
        file = traceback.tb_frame.f_code.co_filename
        if file.startswith(OURS):
            found = f"{file.removeprefix(ROOT)}:{traceback.tb_lineno}"
        traceback = traceback.tb_next
    return found


class _Repeats:
    """A fault lasts, and its log must not fill the disk: the same is said once in a while."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._said: dict[tuple[str, str, str], tuple[float, int]] = {}

    def silenced(self, *what: str) -> int | None:
        """How often it was not said since it last was; None where it is not to be said now."""
        key, now = (what[0], what[1], what[2]), time.monotonic()
        with self._lock:
            at, count = self._said.get(key, (-SAID_EVERY_SECONDS, 0))
            if now - at < SAID_EVERY_SECONDS:
                self._said[key] = (at, count + 1)
                return None
            self._said[key] = (now, 0)
            return count


_REPEATS = _Repeats()


def log_failure(message: str, error: BaseException, **fields: Any) -> None:
    """Log that something failed; the same at the same place once in a few seconds."""
    told = told_of(error)
    repeated = _REPEATS.silenced(message, told["fault"], told["where"])
    if repeated is None:
        return
    log.error(
        "%s: %s at %s",
        message,
        told["fault"],
        told["where"],
        extra={FIELDS: {**told, **fields, "not_said_again": repeated}},
    )


def log_request(route: str, method: str, status: int, began: float) -> None:
    """Log one request of the access log; `began` is of `time.perf_counter`."""
    fields = {
        "route": route,
        "method": method,
        "status": status,
        "milliseconds": round(1_000 * (time.perf_counter() - began), 2),
    }
    access.info("%s %s %d", method, route, status, extra={FIELDS: fields})
