"""Which formats a column of dates may be written in, once names of months, days and zones are
brought to one form.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import cache, lru_cache

from babel.dates import get_day_names, get_month_names

ISO_PATTERN = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,9})?)?("
    r" ?(Z|[+-][0-9]{2}:?[0-9]{2}))?)?$"
)
"""ISO 8601 as shops write it: a date, or a date and a time with or without a zone."""
EPOCHS = {
    "epoch_seconds": (1_000_000, re.compile(r"1[0-9]{9}([.][0-9]+)?")),
    "epoch_milliseconds": (1_000, re.compile(r"1[0-9]{12}([.]0*)?")),
    "epoch_microseconds": (1, re.compile(r"1[0-9]{15}([.]0*)?")),
}
"""Formats of moments that are counted since 1970, with microseconds in their unit and what
their texts look like from 2001 on.
"""
DAYS = (
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d.%m.%Y",
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%Y/%m/%d",
    "%Y.%m.%d",
    "%Y-%m-%d",
    "%Y%m%d",
    "%d %b %Y",
    "%d-%b-%Y",
    "%d/%b/%Y",
    "%d %B %Y",
    "%b %d, %Y",
    "%b %d %Y",
    "%B %d, %Y",
    "%Y %b %d",
    "%Y-%b-%d",
    "%d/%m/%y",
    "%m/%d/%y",
    "%d.%m.%y",
    "%d-%m-%y",
    "%m-%d-%y",
    "%d %b %y",
    "%d-%b-%y",
    "%b %d, %y",
    "%b-%d-%Y",
    "%b-%d-%y",
)
TIMES = (
    "",
    " %H:%M",
    " %H:%M:%S",
    " %H:%M:%S.%f",
    " %I:%M %p",
    " %I:%M:%S %p",
    "T%H:%M",
    "T%H:%M:%S",
    "T%H:%M:%S.%f",
    "T%H%M%S",
    ", %H:%M",
    ", %H:%M:%S",
    ", %I:%M %p",
    ", %I:%M:%S %p",
    " %H.%M",
    " %H.%M.%S",
)
COMPACT, COMPACT_TIMES = "%Y%m%d", ("%H%M", "%H%M%S")
FIRST_LOOK = 20
LOOKED_AT = 2_000
LEAST = 0.9
LANGUAGES = ("en", "de", "fr", "es", "pl", "it", "nl", "pt")
ENGLISH = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
ZONES = {
    **dict.fromkeys(("Z", "UTC", "GMT", "UT"), "+0000"),
    "EST": "-0500",
    "EDT": "-0400",
    "CST": "-0600",
    "CDT": "-0500",
    "MST": "-0700",
    "MDT": "-0600",
    "PST": "-0800",
    "PDT": "-0700",
    "CET": "+0100",
    "MEZ": "+0100",
    "CEST": "+0200",
    "MESZ": "+0200",
    "WET": "+0000",
    "WEST": "+0100",
    "BST": "+0100",
    "EET": "+0200",
    "EEST": "+0300",
}
"""Offsets of the zones that RFC 2822 and shops of Europe name."""
_MAY_BE_DATE = re.compile(r"^(?=.*[0-9].*[0-9].*[0-9]).{6}")
"""Of what can be read in any format: three digits at least, as in `1 Jan 24`."""
_WORD = re.compile(r"[^\W\d_]+\.?")
_ZONE = re.compile(
    rf"(?<=[0-9M])\s*(?:\(?({'|'.join(sorted(ZONES, key=len, reverse=True))})\)?)?\s*"
    r"(?:([+-])([0-9]{1,2}):?([0-9]{2})?)?\s*(?:\([^()]*\)|\[[^\]]*\])?$"
)
_TWICE = re.compile(r"([+-][0-9]{2}:?[0-9]{2})\s+[A-Z]{2,4}$")
_HALF = re.compile(r"\s*\b([ap])\.?\s?m\.?(?=\W|$)", re.IGNORECASE)
_HAS_TIME = re.compile(r"[0-9][:.h][0-9]{2}|T[0-9]{6}")
_BETWEEN = re.compile(r"\s+(?:at|um|à|kl|o|a las|om|alle|às)\.?\s+(?=[0-9])", re.IGNORECASE)
_AFTER = re.compile(r"\s+(?:Uhr|h)$", re.IGNORECASE)
_OF = re.compile(r"\b(?:de|of|van)\b\s*", re.IGNORECASE)
_DAY = re.compile(r"\b([0-9]{1,2})(?:\.(?=\s*[A-Z])|(?:er|st|nd|rd|th)\b\.?)\s*")


@lru_cache(maxsize=100_000)
def normalised(text: str) -> str:
    """A date with names of months as `Jan`, without the day of the week, with AM and PM, and with
    its zone as an offset such as `+0100`.
    """
    plain = " ".join(text.split())
    if re.match(ISO_PATTERN, plain):
        return plain
    half = _HALF.search(plain)
    plain = _HALF.sub(lambda found: f" {found[1].upper()}M", plain) if half else plain
    plain = _TWICE.sub(r"\1", plain)
    if _HAS_TIME.search(plain) and (zone := _offset(plain)):
        plain = zone
    if not any(letter.isalpha() for letter in plain):
        return plain
    plain = _AFTER.sub("", _BETWEEN.sub(" ", plain))
    plain = _WORD.sub(lambda found: _translated(found[0]), _OF.sub("", plain))
    plain = _DAY.sub(lambda found: f"{found[1]} ", plain)
    return " ".join(plain.replace(" ,", ",").strip(" ,").split())


def formats_of(texts: Sequence[str]) -> tuple[str, ...]:
    """Formats in which nearly all of `texts` are dates, the best; several where nothing in them
    settles day and month.

    The formats are of `normalised` texts.
    """
    some = texts[:: max(1, len(texts) // LOOKED_AT)]
    for epoch, (_, pattern) in EPOCHS.items():
        if some and sum(bool(pattern.fullmatch(text)) for text in some) >= LEAST * len(some):
            return (epoch,)
    plain = [normalised(text) for text in some]
    shares = {
        form: sum(_reads(form, text) for text in plain) / len(plain)
        for form in _candidates(plain[:FIRST_LOOK])
    }
    best = max(shares.values(), default=0.0)
    return tuple(form for form, share in shares.items() if share == best >= LEAST)


def _offset(text: str) -> str | None:
    """The text with its zone as an offset; None where it names none."""
    found = _ZONE.search(text)
    if found is None or not found[0].strip() or (found[2] and not _is_after_time(text, found)):
        return None
    offset = ZONES[found[1]] if found[1] else "+0000"
    if found[2]:
        offset = f"{found[2]}{int(found[3]):02d}{found[4] or '00'}"
    elif not found[1]:
        return text[: found.start()]
    return f"{text[: found.start()].rstrip()}{offset}"


def _is_after_time(text: str, zone: re.Match[str]) -> bool:
    """Whether what looks like an offset stands behind a time, and is no part of a date."""
    return _HAS_TIME.search(text[: zone.start()]) is not None


def _translated(word: str) -> str:
    bare = word.rstrip(".").casefold()
    if bare in _months():
        return ENGLISH[_months()[bare] - 1]
    return "" if bare in _weekdays() else word


@cache
def _months() -> dict[str, int]:
    """The number of each month by its names in lower case."""
    return {
        name.rstrip(".").casefold(): number
        for language in reversed(LANGUAGES)
        for width in ("wide", "abbreviated")
        for context in ("format", "stand-alone")
        for number, name in get_month_names(width, context, language).items()
    } | {"sept": 9, "mär": 3, "mrz": 3, "juni": 6, "juli": 7}


@cache
def _weekdays() -> frozenset[str]:
    return frozenset(
        name.rstrip(".").casefold()
        for language in LANGUAGES
        for width in ("wide", "abbreviated")
        for context in ("format", "stand-alone")
        for name in get_day_names(width, context, language).values()
    ) - frozenset(_months())


def _candidates(texts: Sequence[str]) -> Iterator[str]:
    dates = [text for text in texts if _MAY_BE_DATE.search(text)]
    zones = ("", "%z") if any(re.search(r"[+-][0-9]{4}$", text) for text in dates) else ("",)
    for day in DAYS:
        for time in (*TIMES, *(COMPACT_TIMES if day == COMPACT else ())):
            for zone in zones:
                form = day + time + zone
                if any(_reads(form, text) for text in dates):
                    yield form


def _reads(form: str, text: str) -> bool:
    try:
        datetime.strptime(text, form)  # noqa: DTZ007 - only whether it can be read matters here
    except ValueError:
        return False
    return True
