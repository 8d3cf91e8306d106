"""Taking in events: a batch is one transaction, and each event of it has a fate of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from sqlalchemy import Connection

from features import clock
from features.clock import Clock
from features.config.schema import Config
from features.consent.grants import covered_from
from features.customers.pseudonyms import find, there_among
from features.customers.vault import Vault
from features.database.engine import Database
from features.events.collecting import Covered, may_be_kept, needed
from features.events.event import DecisionEvent, Kind
from features.events.store import Kept, fingerprints, keep, known_among
from serving.decisions.permissions import require_whole_ledger
from serving.events.effects import Effects
from serving.events.faults import DELETED, OTHER_BODY, OTHER_CUSTOMER, Rules
from serving.events.offers import Offer, offers_of

Became = Literal["accepted", "duplicate", "dropped_unconsented", "rejected"]


@dataclass(frozen=True)
class Told:
    """An event as somebody told it; `customer_id`, where they say it, is whose it is, by the shop's
    own id.
    """

    event: DecisionEvent
    customer_id: str | None = None


@dataclass(frozen=True)
class Fate:
    """What became of an event, and why where it was rejected."""

    became: Became
    detail: str | None = None


@dataclass(frozen=True)
class EventIntake:
    """Takes in events of one shop; `purposes` says what decisions of each kind are made for."""

    database: Database
    vault: Vault
    config: Config
    clock: Clock
    purposes: Mapping[str, str]

    def take(self, told: Sequence[Told], actor: str, *, reports: bool = True) -> list[Fate]:
        """What became of each event, once what was accepted is durable; `actor` told them.

        `reports` is whether a `shown` says that the shop tells all that it shows, also where a
        customer allows nothing to be kept of it.
        """
        shop, now = self.config.shop, self.clock()
        rules = Rules.at(now, {shop.currency, *shop.rates})
        with self.database.read() as connection:
            offers = offers_of(connection, self.vault, {one.event.decision_id for one in told})
            faults = [
                rules.fault(one.event, offers.get(one.event.decision_id))
                or self._of_another(connection, one, offers)
                for one in told
            ]
        events = [one.event for one in told]
        with self.database.write() as connection:
            require_whole_ledger(connection)
            batch = self._batch(connection, events, offers, clock.to_text(now), reports=reports)
            prints = fingerprints(connection, self.vault, events)
            fates = [batch.fate(*one) for one in zip(events, prints, faults, strict=True)]
            keep(connection, self.vault, batch.kept, batch.now, actor)
            batch.effects.write(connection, batch.now, actor)
        return fates

    def is_known(self, event_id: str) -> bool:
        """Whether an event of that id was accepted before."""
        with self.database.read() as connection:
            return bool(known_among(connection, [event_id]))

    def _of_another(
        self, connection: Connection, told: Told, offers: Mapping[str, Offer]
    ) -> str | None:
        if told.customer_id is None:
            return None
        whose = find(connection, told.customer_id, self.config.catalog.ids)
        same = whose is not None and whose == offers[told.event.decision_id].customer
        return None if same else OTHER_CUSTOMER

    def _batch(
        self,
        connection: Connection,
        events: Sequence[DecisionEvent],
        offers: Mapping[str, Offer],
        now: str,
        *,
        reports: bool,
    ) -> _Batch:
        """What the fates of these events rest on, as it stands in this transaction."""
        whose = {one.customer for one in offers.values() if one.customer is not None}
        purposes = {self.purposes[one.kind] for one in offers.values() if one.kind in self.purposes}
        return _Batch(
            self,
            now,
            offers,
            known_among(connection, {event.event_id for event in events}),
            there_among(connection, whose),
            {
                purpose: covered_from(connection, self.config.catalog, whose, purpose, now)
                for purpose in purposes
            },
            Effects(reports=reports),
        )


@dataclass
class _Batch:
    intake: EventIntake
    now: str
    offers: Mapping[str, Offer]
    known: dict[str, str]
    there: set[int]
    covered: Mapping[str, Mapping[int, Covered]]
    effects: Effects
    wanted: dict[tuple[Kind, str, frozenset[str]], frozenset[str] | None] = field(
        default_factory=dict
    )
    kept: list[Kept] = field(default_factory=list)

    def fate(self, event: DecisionEvent, mine: str, fault: str | None) -> Fate:
        """What becomes of one event, whose fingerprint is `mine`, after those before it."""
        before = self.known.get(event.event_id)
        if before is not None:
            return Fate("duplicate") if before == mine else Fate("rejected", OTHER_BODY)
        if fault is not None:
            return Fate("rejected", fault)
        offer = self.offers[event.decision_id]
        if offer.customer is not None and offer.customer not in self.there:  # erased just now
            return Fate("rejected", DELETED)
        if not self._allowed(event, offer):
            self.effects.of_dropped(event, offer)
            return Fate("dropped_unconsented")
        self.known[event.event_id] = mine
        self.kept.append(Kept(event, offer.customer, mine))
        self.effects.of_kept(event, offer)
        return Fate("accepted")

    def _allowed(self, event: DecisionEvent, offer: Offer) -> bool:
        if offer.customer is None:
            return True
        purpose = self.intake.purposes[offer.kind]
        asked = (event.kind, purpose, offer.used)
        if asked not in self.wanted:
            catalog = self.intake.config.catalog
            self.wanted[asked] = needed(event.kind, catalog, purpose, offer.used)
        covered = self.covered[purpose].get(offer.customer, {})
        return may_be_kept(event, self.wanted[asked], covered)
