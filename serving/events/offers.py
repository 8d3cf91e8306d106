"""What decisions offered to whom: what an event has to agree with."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import msgspec
from sqlalchemy import Connection

from features.customers.pseudonyms import kept_among
from features.customers.vault import Vault
from serving.decisions.record import Decision, read_many
from serving.delivery.exposures import channels_of


@dataclass(frozen=True)
class Offer:
    """A decision as events see it: of which kind, for which customer (None: nobody known), on which
    channel (None where nothing was shown to anybody known), from which categories of data.

    `products` are those that it listed; None where its content was deleted.
    """

    kind: str
    customer: int | None
    created_at: str
    channel: str | None
    products: frozenset[str] | None
    used: frozenset[str]


class _Item(msgspec.Struct):
    product_id: str


class _Consent(msgspec.Struct):
    used: Sequence[str] = ()


class _Answer(msgspec.Struct):
    consent: _Consent
    items: Sequence[_Item] = ()


_answers = msgspec.json.Decoder(_Answer)


def offers_of(connection: Connection, vault: Vault, ids: Collection[str]) -> dict[str, Offer]:
    """What decisions offered, by id; one that never was is left out."""
    found = read_many(connection, vault, ids)
    channels = channels_of(connection, found)
    whose = {one.customer for one in found.values() if one.customer is not None}
    kept = kept_among(connection, whose)
    return {
        id: _offer(
            decision,
            None if decision.customer is None else kept.get(decision.customer, decision.customer),
            channels.get(id),
        )
        for id, decision in found.items()
    }


def _offer(decision: Decision, customer: int | None, channel: str | None) -> Offer:
    said = _answers.decode(decision.answer) if decision.answer else None
    return Offer(
        kind=decision.kind,
        customer=customer,
        created_at=decision.created_at,
        channel=channel,
        products=None if said is None else frozenset(item.product_id for item in said.items),
        used=frozenset() if said is None else frozenset(said.consent.used),
    )
