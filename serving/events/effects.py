"""What follows from events.

- What was seen was shown: the place that the answer reserved under a cap is confirmed. A `shown`
  that the shop tells confirms it too where its customer allows no event to be kept: it protects
  them.
- `unsubscribed` and `complained` opt the customer out of the decision's channel.
- `dismissed` hides the product from the customer for `HIDDEN_FOR`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import Connection

from features import clock
from features.events.event import SEEN, SILENCING, DecisionEvent
from serving.delivery.exposures import confirm, note_reporting
from serving.delivery.opt_outs import Wish, write_wishes
from serving.events.offers import Offer

HIDDEN_FOR = timedelta(days=30)


@dataclass
class Effects:
    """What follows from the events of a batch; `reports` is whether a `shown` says that the shop
    tells all that it shows.
    """

    reports: bool
    confirmed: set[str] = field(default_factory=set)
    reporting: set[str] = field(default_factory=set)
    wishes: list[Wish] = field(default_factory=list)

    def of_dropped(self, event: DecisionEvent, offer: Offer) -> None:
        """What follows from an event of which nothing is kept."""
        if self.reports and event.kind == "shown":
            self._shown(event, offer)

    def of_kept(self, event: DecisionEvent, offer: Offer) -> None:
        """What follows from an event that is kept."""
        if event.kind in SEEN:
            self._shown(event, offer)
        if offer.customer is None:
            return
        if event.kind in SILENCING and offer.channel is not None:
            self.wishes.append(Wish(offer.customer, "channel", offer.channel))
        elif event.kind == "dismissed" and event.product_id is not None:
            until = clock.to_text(clock.from_text(event.occurred_at) + HIDDEN_FOR)
            self.wishes.append(Wish(offer.customer, "product", event.product_id, until))

    def write(self, connection: Connection, now: str, actor: str) -> None:
        """Write all of it, within the transaction that keeps the events."""
        confirm(connection, self.confirmed)
        note_reporting(connection, self.reporting, now)
        if self.wishes:
            write_wishes(connection, self.wishes, now, actor)

    def _shown(self, event: DecisionEvent, offer: Offer) -> None:
        if offer.channel is None:
            return
        self.confirmed.add(event.decision_id)
        if self.reports and event.kind == "shown":
            self.reporting.add(offer.channel)
