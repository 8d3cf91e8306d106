"""What is told to the shop's own programs, and for how long that is worth telling."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum


class EventKind(StrEnum):
    """What happened; the `event` of a call."""

    CONSENT_CHANGED = "consent changed"
    ERASED = "erased"
    REVIEW_RESOLVED = "review resolved"
    MODEL_PROMOTED = "model promoted"
    CODE_WANTED = "code wanted"


TRIED_FOR: Mapping[EventKind, timedelta] = {
    **dict.fromkeys(EventKind, timedelta(days=3)),
    EventKind.CODE_WANTED: timedelta(hours=1),
}
"""How long a call is tried; nobody waits for a code for longer than an hour."""


@dataclass(frozen=True)
class Event:
    """Something that happened at `occurred_at`.

    `customer` is the pseudonym of whom it is about, None where it is about nobody or where they
    are gone; `about` is what the receiver needs to know of it, with the shop's own id of a
    customer and nothing else of them.
    """

    kind: EventKind
    occurred_at: str
    about: Mapping[str, str | int]
    customer: int | None = None
    id: str = field(default_factory=lambda: "evt_" + secrets.token_hex(12))

    def document(self) -> dict[str, str | int]:
        """The body of the call; sent again it is the same, so a receiver knows it by `event_id`."""
        said = {"event": self.kind.value, "event_id": self.id, "occurred_at": self.occurred_at}
        return {**said, **self.about}
