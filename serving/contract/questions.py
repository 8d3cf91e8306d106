"""What a client asks, as the light types of its calls: the classes of `serving.contract.requests`,
which check a request, load much of the service.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypedDict

from features.events.event import Kind

Moment = datetime | str
"""A moment with its offset, or such a text."""


class Options(TypedDict, total=False):
    """What to recommend: the fields of `POST /v1/recommendations` beside the customer."""

    basket: Sequence[str]
    k: int
    channel: str
    exclude: Sequence[str]
    exclude_list: str | None
    product_categories: Sequence[str] | None
    discover: float | None
    not_bought_within: int | None
    only_new: bool | None
    time_zone: str | None
    send_at: Moment | None
    language: str | None
    explain: Literal["full", "reasons", "none"]


class Choice(TypedDict, total=False):
    """What a customer said about one category for one purpose."""

    purpose: str
    category: str
    action: Literal["granted", "refused", "withdrawn", "renewed", "objected"]
    notice_version: str | None
    idempotency_key: str | None


class Asked(TypedDict, total=False):
    """How and when a customer was asked: what `POST /v1/consents` takes beside what they said."""

    method: str
    notice_version: str | None
    notice_language: str | None
    occurred_at: Moment | None
    valid_until: Moment | None
    evidence: str | None


@dataclass(frozen=True, kw_only=True)
class Event:
    """What came of a decision. An `event_id` of your own makes sure that it counts once."""

    decision_id: str
    kind: Kind
    occurred_at: Moment
    event_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    product_id: str | None = None
    value: float | None = None
    currency: str | None = None
    order_id: str | None = None
    customer_id: str | None = None
