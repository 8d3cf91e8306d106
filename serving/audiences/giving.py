"""Giving customers of an audience away: each is recorded first, and nobody is given who changed
anything meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from features import clock
from features.config.audiences import AudienceSection
from features.customers.pseudonyms import ids_of
from features.database.tables import consent_events, exposures
from features.definitions.unlisted.segments import STAGES
from features.shop.shop import Shop
from models.churn.model import ChurnModel
from serving.access import audit_log
from serving.access.caller import Caller
from serving.audiences.audience import KIND, Asked, Member
from serving.audiences.choosing import Chosen
from serving.audiences.known import Known
from serving.audiences.people import SILENCING, People, refused_of
from serving.audiences.telling import Teller
from serving.decisions.audience_members import keep_members
from serving.decisions.document import plain
from serving.delivery.opt_outs import opt_outs_of_all
from serving.live.champions import Loaded

PSEUDONYM = "audience"
"""What kind of tag stands for a customer."""


@dataclass(frozen=True)
class Ready:
    """Everybody who is in, before they are given."""

    people: People
    known: Known
    chosen: Chosen
    model: Loaded[ChurnModel] | None


@dataclass(frozen=True)
class Giving:
    """Gives customers who are in an audience, as they stand now."""

    shop: Shop
    asked: Asked
    audience: AudienceSection
    ready: Ready
    teller: Teller
    decision_id: str

    def give(self, places: Sequence[int], since: str, caller: Caller) -> list[Member]:
        """Those at `places` who changed nothing since the moment `since`, recorded."""
        people = self.ready.people
        numbers = [int(people.customers[place]) for place in places]
        with self.shop.database.write() as connection:
            changed = _changed(connection, people, numbers, since)
            there = ids_of(connection, [one for one in numbers if one not in changed])
            named = self._named(connection, there)
            still = [pair for pair in zip(places, numbers, strict=True) if pair[1] in named]
            made = self._members(still, named)
            if made:
                self._keep(connection, made, caller)
        return [member for _, member in made]

    def _named(self, connection: Connection, there: Mapping[int, str]) -> Mapping[int, str]:
        """What each customer is called on their line."""
        if not self.asked.pseudonymised:
            return there
        tags = self.shop.vault.tags(connection, PSEUDONYM, there.values())
        return {customer: f"psn_{tags[id][:32]}" for customer, id in there.items()}

    def _members(
        self, still: Sequence[tuple[int, int]], named: Mapping[int, str]
    ) -> list[tuple[int, Member]]:
        known, audience = self.ready.known, self.audience
        heard, stages = known.heard_from, known.stages
        used = self._used([customer for _, customer in still])
        members = []
        reasons = self.teller.reasons(still)
        for (place, customer), said in zip(still, reasons, strict=True):
            open = self._channels(place, customer)
            member = Member(
                decision_id=self.decision_id,
                customer_id=named[customer],
                pseudonymised=self.asked.pseudonymised,
                channel=open[0],
                channels=open,
                lifecycle_stage=STAGES[int(stages[place])] if audience.stages else None,  # type: ignore[arg-type]  # one of them
                band=self.ready.chosen.bands[place] if audience.bands else None,  # type: ignore[arg-type]  # one of them
                probability=float(known.chance[place]) if audience.bands else None,
                expected_value=None
                if audience.value_at_least is None
                else round(float(known.value[place]), 2),
                not_heard_from_days=None
                if audience.not_heard_from_days is None
                else round(float(heard[place]), 1),
                used=used[customer],
                reasons=said,
            )
            members.append((customer, member))
        return members

    def _used(self, customers: Sequence[int]) -> dict[int, list[str]]:
        """The categories that each grants for the purpose of the audience."""
        granted = self.ready.people.granted
        mine = granted[granted["customer"].isin(customers)]
        found: dict[int, list[str]] = {customer: [] for customer in customers}
        for customer, category in zip(mine["customer"], mine["category"], strict=True):
            found[int(customer)].append(str(category))
        return {customer: sorted(names) for customer, names in found.items()}

    def _channels(self, place: int, customer: int) -> list[str]:
        """The channels that are open, the one that the customer prefers first."""
        people = self.ready.people
        open = [
            channel for channel, yes in zip(people.channels, people.open[place], strict=True) if yes
        ]
        liked = people.preferred.get(customer)
        return sorted(open, key=lambda channel: channel != liked)

    def _keep(
        self, connection: Connection, made: Sequence[tuple[int, Member]], caller: Caller
    ) -> None:
        about = {
            "audience": self.asked.name,
            "purpose": self.audience.purpose,
            "given_to": caller.actor,
        }
        now = clock.to_text(self.shop.clock())
        left = ("decision_id", "customer_id")
        said: dict[int, dict[str, Any]] = {
            customer: {
                **about,
                **{name: value for name, value in plain(member).items() if name not in left},
            }
            for customer, member in made
        }
        keep_members(connection, self.shop.vault, self.decision_id, said, now)
        audit_log.write(connection, caller, KIND, list(said), now)


def _changed(
    connection: Connection, people: People, customers: Sequence[int], since: str
) -> set[int]:
    """Which of these customers said anything since they were read, may not be written to any more,
    or were written to since that moment.
    """
    said, shown = consent_events.c, exposures.c
    asked = (
        select(said.customer).where(said.seq > people.ledger_seq, said.customer.in_(customers)),
        select(shown.customer).where(
            shown.customer.in_(customers),
            shown.channel.in_(people.channels),
            shown.shown_at > since,
        ),
    )
    changed = {int(one) for query in asked for one in connection.execute(query).scalars()}
    now = opt_outs_of_all(connection, SILENCING, since, customers)
    changed |= {one.customer for one in now if one.id not in people.opt_outs}
    refused = refused_of(connection, people.channels, customers) - people.refused
    return changed | {customer for customer, _ in refused}
