"""`send_at`: the later moment that an answer is made for, and how far ahead it may lie."""

from __future__ import annotations

from datetime import datetime, timedelta

from features import clock
from features.errors import SaysoError


class SendAtRefused(SaysoError):
    """A moment to send at that is past, or too far away to say how anything stands then."""

    field = "send_at"


def refuse_moment(send_at: datetime, within_days: float, now: datetime, told: str = "") -> None:
    """Raises `SendAtRefused` for a `send_at` that is past, or more than `within_days` ahead; `told`
    says where that is set.
    """
    latest = now + timedelta(days=within_days)
    if not now <= send_at <= latest:
        raise SendAtRefused(
            f"`send_at` is {clock.to_text(send_at)}; it has to lie between now,"
            f" {clock.to_text(now)}, and {clock.to_text(latest)}{told}"
        )
