"""How old somebody is, by what shops know: a day or a year of birth, an age, or a range of ages."""

from __future__ import annotations

import re
from datetime import date

YEAR = re.compile(r"(?<![0-9])((?:19|20)[0-9]{2})(?![0-9])")
UNDER = re.compile(r"(?:<|under|bis|moins de|menos de|do)\s*([0-9]{1,3})(?:\D.*)?", re.IGNORECASE)
FROM = re.compile(r">?\s*([0-9]{1,3})\s*(?:[-+\u2013].*|to\s.*|\s.*)?")
OLDEST = 120


def born_on(text: str) -> date | None:
    """The day of birth that `text` states as ISO 8601 writes it, else the last day of the year that
    stands in it, so that nobody counts as older than they are; None where it states neither.
    """
    try:
        return date.fromisoformat(text.strip()[:10])
    except ValueError:
        found = YEAR.search(text)
        return date(int(found[1]), 12, 31) if found else None


def age_at_least(text: str, today: date) -> int | None:
    """How old in years somebody is at least; None where `text` tells nothing of it."""
    if (born := born_on(text)) is not None:
        return today.year - born.year - ((today.month, today.day) < (born.month, born.day))
    if UNDER.fullmatch(text.strip()):
        return 0
    found = FROM.fullmatch(text.strip())
    return int(found[1]) if found and int(found[1]) <= OLDEST else None


def age_group(text: str) -> str:
    """The decade of birth, such as `1980s`, where `text` tells it; else the range as it is."""
    born = born_on(text)
    return text if born is None else f"{born.year // 10 * 10}s"
