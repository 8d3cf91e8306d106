"""Whether now is a moment to show somebody something on a channel."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from features import clock
from features.config.schema import ContactPolicySection
from serving.delivery.frequency_caps import Cap, full
from serving.delivery.quiet_hours import QuietHours, quiet_until

QUIET_HOURS, FREQUENCY = "quiet_hours", "frequency"


@dataclass(frozen=True)
class NotNow:
    """Nothing is shown now `because` of quiet hours or of a cap.

    `not_before` is when it may be again; None: not at all.
    """

    because: str
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
        return NotNow(QUIET_HOURS, clock.to_text(until))
    if (reached := full(caps, shown, now)) is not None:
        return NotNow(FREQUENCY, None if reached.until is None else clock.to_text(reached.until))
    return None
