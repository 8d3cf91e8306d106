"""What is asked for with an audience, what is told of who is in it, and why there may be none."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from features.errors import NotFound, SaysoError

KIND = "audience"
"""What its decision is called."""


class UnknownAudience(NotFound):
    """sayso.toml defines no such audience."""

    def __init__(self, name: str, known: Collection[str]) -> None:
        there = ", ".join(f"`{one}`" for one in sorted(known))
        told = f"there are {there}" if there else "it defines none"
        super().__init__(
            f"There is no audience `{name[:64]}`: sayso.toml defines each as [audiences.NAME], and"
            f" {told}."
        )


class NobodyGranted(SaysoError):
    """Nobody grants anything for the purpose of an audience, so nobody may be written to for it."""


class NotTheMoment(SaysoError):
    """No channel of an audience may be used at that moment; it may be `not_before`."""

    def __init__(self, message: str, *, not_before: str | None) -> None:
        super().__init__(message)
        self.not_before = not_before


@dataclass(frozen=True)
class Asked:
    """Which audience, in which language (None: the shop's), to be written to when (None: now).

    `pseudonymised` has customers stand under what cannot be turned back; `privacy_signal` asks not
    to be profiled (`Sec-GPC: 1`), which fits nobody.
    """

    name: str
    language: str | None = None
    send_at: datetime | None = None
    pseudonymised: bool = True
    privacy_signal: bool = False


@dataclass(frozen=True, kw_only=True)
class AudienceReason:
    """A sentence that is true of the customer, and the category of data that it rests on; none
    where it rests on a person's review.
    """

    category: str | None
    text: str


@dataclass(frozen=True, kw_only=True)
class Member:
    """A customer of an audience, as a line of it says.

    `customer_id` is the shop's id or, where `pseudonymised`, what stands for it in every audience
    and cannot be turned back. `channel` is the first of the `channels` that are open now: the one
    that the customer prefers, else in the order of the definition. What the definition does not
    ask for is null.
    """

    decision_id: str
    customer_id: str
    pseudonymised: bool
    channel: str
    channels: list[str]
    lifecycle_stage: Literal["new", "active", "slowing", "lapsed", "returning"] | None
    band: Literal["low", "medium", "high"] | None
    probability: float | None
    expected_value: float | None
    not_heard_from_days: float | None
    used: list[str]
    reasons: list[AudienceReason]
