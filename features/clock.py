"""Times as the project writes them: UTC, ISO 8601 with microseconds, so that text sorts as time
does.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, tzinfo

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


def from_text(text: str, zone: tzinfo = UTC, *, later: bool = False) -> datetime:
    """The moment that `to_text` wrote; also reads other ISO 8601 texts, those without an offset as
    a time of `zone`.

    Where a clock that is put back shows a time twice it is the first moment, or with `later` the
    second. Raises `ValueError` for anything else.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone, fold=int(later))
    return moment.astimezone(UTC)
