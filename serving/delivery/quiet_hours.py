"""Quiet hours: when nobody wants a message, by the customer's own clock."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo


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
