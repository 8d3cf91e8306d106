"""Times as the project writes them: UTC, ISO 8601 with microseconds, so that text sorts as time
does.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Gives the present moment; a parameter wherever the moment matters, so that a test can hold it
still.
"""


def utc_now() -> datetime:
    """The present moment in UTC."""
    return datetime.now(UTC)


def to_text(moment: datetime) -> str:
    """`moment` as `2026-11-21T20:40:00.000000Z`; a moment without a zone is taken as UTC."""
    aware = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return aware.isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def from_text(text: str) -> datetime:
    """The moment that `to_text` wrote; also reads other ISO 8601 texts.

    Raises `ValueError` for anything else.
    """
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
