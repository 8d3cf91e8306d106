"""Whether now is a moment to show somebody something on a channel.

Quiet hours say when nobody wants a message, by the customer's own clock; caps allow at most so many
recommendations on a channel within so many days.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from features import clock
from features.config.schema import ContactPolicySection, channel_name

NotNowBecause = Literal["quiet_hours", "frequency"]
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
    """Whether one more at the moment `now` would exceed a cap, given when recommendations were
    `shown` on the channel, or are to be; None where it may be.

    What was shown counts for exactly as many days as the cap says, and so does what is to be, the
    other way round.
    """
    reached = [_reached(cap, shown, now) for cap in caps]
    ends = [one.until for one in reached if one is not None]
    if not ends:
        return None
    known = [end for end in ends if end is not None]
    return Full(max(known) if len(known) == len(ends) else None)


def _reached(cap: Cap, shown: Sequence[datetime], now: datetime) -> Full | None:
    if not cap.most:
        return Full(None)
    length, moments, free = timedelta(days=cap.days), sorted(shown), now
    together = list(zip(moments, moments[cap.most - 1 :], strict=False))
    # as many as there may be, with which one more would fall into one window
    while blocking := [a for a, b in together if max(b, free) - min(a, free) < length]:
        free = max(blocking) + length
    return Full(free) if free != now else None


@dataclass(frozen=True)
class QuietHours:
    """From `begin` until `end` on the clock of the customer, over midnight where `begin` is the
    later; none where they are equal.

    They hold on `channels` that reach people unasked.
    """

    begin: time
    end: time
    channels: Collection[str]

    def include(self, moment: time) -> bool:
        """Whether the clock stands within them."""
        if self.begin <= self.end:
            return self.begin <= moment < self.end
        return moment >= self.begin or moment < self.end


def quiet_until(hours: QuietHours, channel: str, zone: ZoneInfo, now: datetime) -> datetime | None:
    """When it stops being quiet on a channel (UTC), always after `now`; None where it is not
    quiet.
    """
    local = now.astimezone(zone)
    if channel not in hours.channels or not hours.include(local.time()):
        return None
    after_midnight = local.time() < hours.end
    day = local.date() if after_midnight else local.date() + timedelta(days=1)
    end = datetime.combine(day, hours.end, zone)
    # In the hour that the clock strikes twice, the end may have been once already; then the second
    # time is meant.
    return next(
        moment
        for fold in (0, 1)
        if (moment := end.replace(fold=fold).astimezone(UTC)) > now.astimezone(UTC)
    )


@dataclass(frozen=True)
class NotNow:
    """Nothing is shown now `because` of quiet hours or of a cap.

    `not_before` is when it may be again; None: not at all.
    """

    because: NotNowBecause
    not_before: str | None


def shop_caps(stated: ContactPolicySection) -> tuple[Cap, ...]:
    """The shop's own caps."""
    return tuple(Cap(cap.channel, cap.most, cap.days) for cap in stated.caps)


def not_now(
    stated: ContactPolicySection,
    channel: str,
    zone: str | None,
    caps: Collection[Cap],
    shown: Sequence[datetime],
    now: datetime,
) -> NotNow | None:
    """Why nothing may be shown on `channel` at the moment `now`; None where something may.

    `zone` is the customer's, the shop's where it is None. `caps` are those of the channel, and
    `shown` is when something was.
    """
    hours = QuietHours(stated.quiet_from, stated.quiet_until, stated.quiet_channels)
    if (until := quiet_until(hours, channel, ZoneInfo(zone or stated.time_zone), now)) is not None:
        return NotNow("quiet_hours", clock.to_text(until))
    if (reached := full(caps, shown, now)) is not None:
        return NotNow("frequency", None if reached.until is None else clock.to_text(reached.until))
    return None
