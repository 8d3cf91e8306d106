"""Which strptime formats a column of dates may be written in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

ISO_PATTERN = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,9})?)?("
    r" ?(Z|[+-][0-9]{2}:?[0-9]{2}))?)?$"
)
"""ISO 8601 as shops write it: a date, or a date and a time with or without a zone."""
DAYS = (
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d.%m.%Y",
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%Y/%m/%d",
    "%Y.%m.%d",
    "%Y%m%d",
    "%d %b %Y",
    "%d-%b-%Y",
    "%d %B %Y",
    "%b %d, %Y",
    "%B %d, %Y",
    "%d/%m/%y",
    "%m/%d/%y",
    "%d.%m.%y",
)
TIMES = (
    "",
    " %H:%M",
    " %H:%M:%S",
    " %H:%M:%S.%f",
    " %I:%M %p",
    " %I:%M:%S %p",
    "T%H:%M:%S",
    ", %H:%M",
    ", %H:%M:%S",
)
FIRST_LOOK = 20
LOOKED_AT = 2_000
LEAST = 0.9


def formats_of(texts: Sequence[str]) -> tuple[str, ...]:
    """Formats in which nearly all of `texts` are dates, the best; several where nothing in them
    settles day and month.
    """
    some = texts[:: max(1, len(texts) // LOOKED_AT)]
    shares = {
        form: sum(_reads(form, text) for text in some) / len(some)
        for form in _candidates(some[:FIRST_LOOK])
    }
    best = max(shares.values(), default=0.0)
    return tuple(form for form, share in shares.items() if share == best >= LEAST)


def _candidates(texts: Sequence[str]) -> Iterator[str]:
    for day in DAYS:
        for time in TIMES:
            if any(_reads(day + time, text) for text in texts):
                yield day + time


def _reads(form: str, text: str) -> bool:
    try:
        datetime.strptime(text, form)  # noqa: DTZ007 - only whether it can be read matters here
    except ValueError:
        return False
    return True
