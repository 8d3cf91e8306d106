"""Caps: at most so many recommendations on a channel within so many days."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from features.config.schema import channel_name

_WRITTEN = re.compile(r"(?P<channel>[^:/]{1,64}):(?P<most>\d{1,3})/(?P<days>[1-9]\d{0,2})")


@dataclass(frozen=True)
class Cap:
    """At most `most` recommendations on `channel` within any `days` days; 0 means none at all."""

    channel: str
    most: int
    days: int

    @property
    def text(self) -> str:
        """The cap as a customer's own is kept, such as `email:1/7`. `cap_of` reads it."""
        return f"{self.channel}:{self.most}/{self.days}"


@dataclass(frozen=True)
class Full:
    """A cap is reached. `until` is the first moment at which it no longer is; None: never."""

    until: datetime | None


def cap_of(text: str) -> Cap:
    """The cap that `text` states. Raises `ValueError` with how it is written."""
    found = _WRITTEN.fullmatch(text)
    if found is None:
        raise ValueError(
            f"{text!r} is no cap; write channel:most/days, such as email:1/7 for one e-mail in"
            " seven days"
        )
    return Cap(channel_name(found["channel"]), int(found["most"]), int(found["days"]))


def on_channel(channel: str, caps: Iterable[Cap]) -> tuple[Cap, ...]:
    """The caps of one channel.

    All of them hold, so a customer's own can only be stricter than the shop's.
    """
    return tuple(cap for cap in caps if cap.channel == channel)


def window(caps: Collection[Cap]) -> timedelta:
    """How far back the longest of the caps looks."""
    return timedelta(days=max((cap.days for cap in caps), default=0))


def full(caps: Iterable[Cap], shown: Sequence[datetime], now: datetime) -> Full | None:
    """Whether one more now would exceed a cap, given when recommendations were `shown` on the
    channel; None where it may be.

    What was shown counts for exactly as many days as the cap says.
    """
    reached = [_reached(cap, shown, now) for cap in caps]
    ends = [one.until for one in reached if one is not None]
    if not ends:
        return None
    known = [end for end in ends if end is not None]
    return Full(max(known) if len(known) == len(ends) else None)


def _reached(cap: Cap, shown: Sequence[datetime], now: datetime) -> Full | None:
    length = timedelta(days=cap.days)
    counting = sorted(moment for moment in shown if moment + length > now)
    if len(counting) < cap.most:
        return None
    return Full(counting[len(counting) - cap.most] + length if cap.most else None)
