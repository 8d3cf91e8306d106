"""A store: one of the places that export and erasure go through."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import Connection


@dataclass(frozen=True)
class Person:
    """A customer: the pseudonym, and the shop's own id.

    `merged` are numbers of before that stand for them too, as their id was written in several ways
    or they were a visitor; `visitor_ids` are the ids that they had then.
    """

    customer: int
    customer_id: str
    merged: tuple[int, ...] = ()
    visitor_ids: tuple[str, ...] = ()

    @property
    def numbers(self) -> tuple[int, ...]:
        """All numbers that something of theirs may lie under."""
        return (self.customer, *self.merged)

    @property
    def ids(self) -> tuple[str, ...]:
        """All ids of the shop's that name them."""
        return (self.customer_id, *self.visitor_ids)


class Store(Protocol):
    """One place where something of a customer may lie."""

    @property
    def name(self) -> str:
        """What the store is called in exports and receipts."""

    @property
    def remains(self) -> str | None:
        """What stays there after an erasure, and why that is nobody's data any more; None:
        nothing.
        """

    def count(self, connection: Connection, person: Person) -> int:
        """How many things of a customer are found there."""

    def export(self, connection: Connection, person: Person) -> Any:
        """All of them, readable; None where they are not the customer's to have, such as keys."""

    def erase(self, connection: Connection, person: Person) -> None:
        """Remove them; doing it twice does no harm.

        `connection` is within a transaction that writes.
        """
