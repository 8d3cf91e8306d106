"""One event: what came of a decision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import msgspec

Kind = Literal["shown", "clicked", "added", "bought", "dismissed", "complained", "unsubscribed"]
KINDS: tuple[str, ...] = get_args(Kind)
OF_A_PRODUCT = frozenset({"added", "bought", "dismissed"})
"""Kinds that are about one product; the others may be about the whole list."""
SEEN = frozenset({"shown", "clicked", "added", "dismissed"})
"""Kinds that only happen to what was seen."""
SILENCING = frozenset({"complained", "unsubscribed"})
"""Kinds by which a customer wants nothing more on the channel of the decision."""


@dataclass(frozen=True)
class DecisionEvent:
    """What happened at the moment `occurred_at` (a text of `features.clock`), by the name that the
    shop gave it.

    `value` is in `currency`, the shop's own where that is None, and `order_id` is the order of a
    purchase as the shop's file of orders will name it.
    """

    event_id: str
    decision_id: str
    kind: Kind
    occurred_at: str
    product_id: str | None = None
    value: float | None = None
    currency: str | None = None
    order_id: str | None = None

    @property
    def body(self) -> str:
        """All that it says but for its id: two events of one id say the same."""
        told = (self.decision_id, self.kind, self.occurred_at, *self._told)
        return msgspec.json.encode(told).decode()

    @property
    def content(self) -> bytes:
        """What is kept sealed: what it says beyond that something happened."""
        return msgspec.json.encode(self._told)

    @property
    def _told(self) -> tuple[str | float | None, ...]:
        return (self.product_id, self.value, self.currency, self.order_id)


def told_in(content: bytes) -> dict[str, str | float]:
    """What `DecisionEvent.content` holds, by name, without what was not told."""
    names = ("product_id", "value", "currency", "order_id")
    told = zip(names, msgspec.json.decode(content), strict=True)
    return {name: value for name, value in told if value is not None}
