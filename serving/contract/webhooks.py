"""What the routes of webhooks take and answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from serving.contract.requests import Request
from serving.webhooks.addresses import LONGEST
from serving.webhooks.event import EventKind


class WebhookRequest(Request):
    """An address to call, and what it is told."""

    url: Annotated[
        str,
        Field(
            min_length=1,
            max_length=LONGEST,
            description="Where to call. https in production, and nowhere within the machine or its"
            " network unless sayso.toml names the host.",
            examples=["https://crm.example.com/sayso"],
        ),
    ]
    events: Annotated[
        tuple[EventKind, ...],
        Field(
            min_length=1,
            max_length=len(EventKind),
            description="What it is told; all of it where nothing is said.",
        ),
    ] = tuple(EventKind)


@dataclass(frozen=True, kw_only=True)
class WebhookAnswer:
    """An address that is called."""

    id: str
    url: str
    events: list[str]
    created_at: str
    created_by: str


@dataclass(frozen=True, kw_only=True)
class WebhookList:
    """All addresses that were taken over HTTP."""

    webhooks: list[WebhookAnswer]


@dataclass(frozen=True, kw_only=True)
class FailedCall:
    """A call that was not taken. It is made again at `next_at`, unless it was given up."""

    event_id: str
    event: str
    webhook_id: str
    made_at: str
    tries: int
    because: str
    next_at: str | None
    gave_up_at: str | None


@dataclass(frozen=True, kw_only=True)
class FailedCalls:
    """The newest calls that were not taken, newest first."""

    failed: list[FailedCall]
