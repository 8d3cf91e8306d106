"""Why an event cannot have come of the decision that it names."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from features import clock
from features.events.event import OF_A_PRODUCT, SILENCING, DecisionEvent
from serving.events.offers import Offer

CLOCKS_DIFFER = timedelta(hours=24)
"""A shop's clock may be ahead of ours by so much."""
CLOCKS_LAG = timedelta(minutes=2)
"""And behind it by so much when something happens right after the answer."""
NO_DECISION = "there is no such decision; `decision_id` is that of an answer"
DELETED = "the content of this decision was deleted, so nothing can be tied to it any more"
OTHER_BODY = "an event with this `event_id` was told before and said something else"
OTHER_CUSTOMER = "this decision was not made for that `customer_id`"


@dataclass(frozen=True)
class Rules:
    """What events are held against: the moment `now` and the `latest` one that a clock may tell,
    and the currencies that the shop can count in.
    """

    now: str
    latest: str
    currencies: Collection[str]

    @classmethod
    def at(cls, now: datetime, currencies: Collection[str]) -> Rules:
        """The rules of a moment."""
        return cls(clock.to_text(now), clock.to_text(now + CLOCKS_DIFFER), currencies)

    def fault(self, event: DecisionEvent, offer: Offer | None) -> str | None:
        """Why the event is refused; None for one that may be."""
        if offer is None:
            return NO_DECISION
        if offer.products is None:
            return DELETED
        return (
            self._of_time(event, offer)
            or _of_product(event, offer.products)
            or _of_customer(event, offer)
            or self._of_currency(event)
        )

    def _of_time(self, event: DecisionEvent, offer: Offer) -> str | None:
        if event.occurred_at > self.latest:
            return (
                f"`occurred_at` is {event.occurred_at}, and it is {self.now} now; a clock may be at"
                " most 24 hours ahead"
            )
        if event.occurred_at < offer.created_at and _is_before(event, offer):
            return (
                f"`occurred_at` is {event.occurred_at}, before the decision was made"
                f" ({offer.created_at})"
            )
        return None

    def _of_currency(self, event: DecisionEvent) -> str | None:
        if event.currency is None or event.currency in self.currencies:
            return None
        known = ", ".join(sorted(self.currencies))
        return (
            f"the shop has no rate for the currency {event.currency!r}; known are {known}"
            " (`[shop.rates]` in sayso.toml names them)"
        )


def _is_before(event: DecisionEvent, offer: Offer) -> bool:
    return event.occurred_at < clock.to_text(clock.from_text(offer.created_at) - CLOCKS_LAG)


def _of_product(event: DecisionEvent, shown: Collection[str]) -> str | None:
    if not shown:
        return "this decision showed no products"
    if event.product_id is None:
        needs = event.kind in OF_A_PRODUCT
        return f"an event of the kind `{event.kind}` needs a `product_id`" if needs else None
    if event.product_id not in shown:
        return f"this decision did not show the product {event.product_id!r}"
    return None


def _of_customer(event: DecisionEvent, offer: Offer) -> str | None:
    if event.kind in SILENCING and (offer.customer is None or offer.channel is None):
        return "this decision was shown to nobody known, so there is nobody to write to no more"
    return None
