"""How often a customer gets suggestions on a channel: the limit of their own, that of the shop, and
what they can choose.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from explain.wording import Wording
from serving.delivery.contact_policy import Cap, on_channel

WEEK = 7
OFFERED = (1, 2, 3, 5, 10)
"""How many times a week a customer can choose, where the shop's own limit is not as strict already.
"""
NONE = "none"


@dataclass(frozen=True)
class Limit:
    """A limit that can be chosen; `value` is what the form sends."""

    value: str
    label: str
    chosen: bool


@dataclass(frozen=True)
class Frequency:
    """A channel's limits in words.

    `own` is the customer's (None: they have none); `limits` are empty where none would be stricter.
    """

    label: str
    own: str | None
    of_shop: str
    limits: tuple[Limit, ...]


def frequency(
    channel: str, label: str, own: Sequence[Cap], of_shop: Sequence[Cap], wording: Wording
) -> Frequency:
    """The limits on one channel, given all caps of the customer's own and of the shop."""
    mine, theirs = on_channel(channel, own), on_channel(channel, of_shop)
    held = min(mine, key=_per_day, default=None)
    said = None if held is None else _said(held, wording)
    return Frequency(
        label, said, _of_shop(theirs, wording), _limits(channel, held, theirs, wording)
    )


def _per_day(cap: Cap) -> float:
    """The smaller, the stricter."""
    return cap.most / cap.days


def _limits(
    channel: str, held: Cap | None, theirs: Sequence[Cap], wording: Wording
) -> tuple[Limit, ...]:
    """What can be chosen: what is chosen now, whatever is stricter than the shop, and none at
    all.
    """
    strictest = min((cap.most for cap in theirs if cap.days >= WEEK), default=None)
    stricter = [
        Cap(channel, most, WEEK) for most in OFFERED if strictest is None or most < strictest
    ]
    offered = {*stricter} if held is None else {*stricter, held}
    if not offered:
        return ()
    none = Limit(f"{channel}:{NONE}", wording.say("No limit of my own"), held is None)
    return (
        none,
        *(
            Limit(cap.text, _said(cap, wording), cap == held)
            for cap in sorted(offered, key=_per_day)
        ),
    )


def _said(cap: Cap, wording: Wording) -> str:
    most = wording.number(cap.most)
    if cap.days == WEEK:
        return wording.say(
            "At most {count} time a week", "At most {count} times a week", cap.most, count=most
        )
    return wording.say("At most: {most} ({wait})", most=most, wait=wording.wait(cap.days))


def _of_shop(caps: Sequence[Cap], wording: Wording) -> str:
    if not caps:
        return wording.say("The shop has set no limit here.")
    strictest = min(caps, key=_per_day)
    return wording.say(
        "Limit of the shop: {most} ({wait}).",
        most=wording.number(strictest.most),
        wait=wording.wait(strictest.days),
    )
