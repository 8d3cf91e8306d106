"""What the database holds of a customer."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Column, Connection, Table, delete, func, select, update

from features import clock
from features.consent import training_sets
from features.customers.visitors import visitors_of
from features.database import tables
from features.events.arrivals import read as read_arrivals
from features.events.store import told
from features.shop.corrections import read_corrections
from features.shop.online import Floats, Layout, OnlineRow, online_stores
from features.shop.shop import Shop
from serving.decisions import record as decisions
from serving.decisions.audience_members import memberships
from serving.reviews.review import opened
from serving.rights.store import Person
from serving.webhooks.outbox import told_about


@dataclass(frozen=True)
class Rows:
    """Rows of one table that carry the customer's number in the column `under`; `show` turns them
    into what the customer may read.
    """

    shop: Shop
    table: Table
    show: Callable[[Connection, Person], Any] | None = None
    named: str | None = None
    remains: str | None = None
    under: str = "customer"

    @property
    def name(self) -> str:
        """What the store is called in a receipt."""
        return self.named or self.table.name.replace("_", " ")

    @property
    def _whose(self) -> Column[int]:
        return self.table.c[self.under]

    def count(self, connection: Connection, person: Person) -> int:
        """How many rows there are."""
        query = select(func.count()).select_from(self.table).where(self._whose.in_(person.numbers))
        return int(connection.execute(query).scalar_one())

    def export(self, connection: Connection, person: Person) -> Any:
        """What `show` makes of them, else the rows as they are."""
        if self.show is not None:
            return self.show(connection, person)
        rows = connection.execute(
            select(self.table).where(self._whose.in_(person.numbers))
        ).mappings()
        return [{name: value for name, value in row.items() if name != "customer"} for row in rows]

    def erase(self, connection: Connection, person: Person) -> None:
        """Delete them."""
        connection.execute(delete(self.table).where(self._whose.in_(person.numbers)))


@dataclass(frozen=True)
class DecisionContents:
    """What was decided about a customer.

    The records stay, so that their chain can still be verified; their content goes.
    """

    shop: Shop
    name: str = "decisions"
    remains: str | None = (
        "that a decision was made, and its hash, under a number that stands for nobody"
    )

    def count(self, connection: Connection, person: Person) -> int:
        """Decisions whose content is there."""
        column = tables.decisions.c
        query = (
            select(func.count())
            .select_from(tables.decisions)
            .where(column.customer.in_(person.numbers), column.content.is_not(None))
        )
        return int(connection.execute(query).scalar_one())

    def export(self, connection: Connection, person: Person) -> Any:
        """Each decision as it was given, with what it was made from."""
        query = (
            select(tables.decisions)
            .where(tables.decisions.c.customer.in_(person.numbers))
            .order_by(tables.decisions.c.seq)
        )
        rows = connection.execute(query).mappings().all()
        found = [decisions.opened(connection, self.shop.vault, dict(row)) for row in rows]
        return [
            {
                "kind": decision.kind,
                "answer": decision.document(),
                "made_from": json.loads(decision.inputs),
            }
            for decision in found
            if decision.answer
        ]

    def erase(self, connection: Connection, person: Person) -> None:
        """Delete the contents."""
        connection.execute(
            update(tables.decisions)
            .where(tables.decisions.c.customer.in_(person.numbers))
            .values(content=None)
        )


@dataclass(frozen=True)
class TrainingSets:
    """Which models learnt from the customer."""

    shop: Shop
    name: str = "training sets"
    remains: str | None = (
        "that each of these models learnt from somebody who has left, so that it is replaced in"
        " time"
    )

    def count(self, connection: Connection, person: Person) -> int:
        """Training sets that the customer is in."""
        return len(self.export(connection, person))

    def export(self, connection: Connection, person: Person) -> list[dict[str, str]]:
        """The training runs, and when they were."""
        sets = training_sets.read_all(connection)
        return [
            {"purpose": one.purpose, "made_at": one.made_at}
            for one in sets
            if person.customer in one.customers
        ]

    def erase(self, connection: Connection, person: Person) -> None:
        """Take the customer out of them."""
        training_sets.leave(connection, person.customer, self.shop.clock())


def consents(shop: Shop) -> Rows:
    """The evidence of a customer's consents; with it, in an export, their whole history."""

    def show(connection: Connection, person: Person) -> Any:
        rows = connection.execute(
            select(tables.evidence).where(tables.evidence.c.customer.in_(person.numbers))
        ).all()
        proofs = {
            row.seq: (
                shop.vault.opened(
                    connection, row.customer, row.content, f"evidence:{row.seq}"
                ).decode()
            )
            for row in rows
        }
        events = [
            {**event, "evidence": proofs.get(event["seq"])}
            for event in shop.ledger.history(person.customer)
        ]
        return {
            "state": shop.ledger.state(person.customer),
            "events": [
                {name: value for name, value in event.items() if name != "customer"}
                for event in events
            ],
        }

    remains = (
        "the events of the ledger, under a number that stands for nobody, so that their chain can"
        " still be verified"
    )
    return Rows(shop, tables.evidence, show, "consents", remains)


def online(shop: Shop) -> Rows:
    """The features that are kept ready to answer from."""

    def show(connection: Connection, person: Person) -> Any:
        ready = {
            store.purpose: (store.layout, store.read(connection, person.customer))
            for store in online_stores(shop)
        }
        return {
            purpose: {
                "as_of": row.as_of,
                "features": _known(layout.customer, row.customer),
                "products": _by_product(layout, row),
            }
            for purpose, (layout, row) in ready.items()
            if row is not None
        }

    return Rows(shop, tables.online_features, show)


def _known(names: tuple[str, ...], values: Floats) -> dict[str, float]:
    return {
        name: value
        for name, value in zip(names, values.tolist(), strict=True)
        if not math.isnan(value)
    }


def _by_product(layout: Layout, row: OnlineRow) -> dict[str, dict[str, float]]:
    return {
        product: _known(layout.history, values)
        for product, values in zip(row.products, row.columns, strict=True)
    }


def corrections(shop: Shop) -> Rows:
    """What the customer had put right."""

    def show(connection: Connection, person: Person) -> Any:
        return [
            asdict(correction)
            for _, correction in read_corrections(connection, shop.vault, person.customer)
        ]

    return Rows(shop, tables.corrections, show)


def arrivals(shop: Shop) -> Rows:
    """What the shop sent of the customer while it ran."""

    def show(connection: Connection, person: Person) -> Any:
        found = read_arrivals(connection, shop.vault, customer=person.customer)
        return [
            {
                "table": one.table,
                "received_at": one.received_at,
                "rows": one.content.rows,
                "taken_back": one.content.back,
            }
            for one in found
        ]

    return Rows(shop, tables.arrivals, show, "rows sent over HTTP")


def reviews(shop: Shop) -> Rows:
    """The decisions that the customer contested, what they wrote and what came of it."""

    def show(connection: Connection, person: Person) -> Any:
        now = clock.to_text(shop.clock())
        whose = tables.reviews.c.customer.in_(person.numbers)
        rows = (
            connection.execute(
                select(tables.reviews).where(whose).order_by(tables.reviews.c.created_at)
            )
            .mappings()
            .all()
        )
        return [opened(connection, shop.vault, dict(row)).document(now) for row in rows]

    return Rows(shop, tables.reviews, show)


def events(shop: Shop) -> Rows:
    """What the customer did with what was recommended to them."""

    def show(connection: Connection, person: Person) -> Any:
        return told(connection, shop.vault, person.numbers)

    return Rows(shop, tables.decision_events, show, "events")


@dataclass(frozen=True)
class KeptAnswers:
    """Answers that are kept for a day under the key of their request.

    Those that may name several customers go with each of them.
    """

    shop: Shop
    name: str = "answers kept for a day"
    remains: str | None = (
        "that a request was named with a key, as keyed digests that say nothing of it, for a day"
    )

    def count(self, connection: Connection, person: Person) -> int:
        """Answers about the customer."""
        column = tables.kept_answers.c
        mine = column.customer.in_(person.numbers)
        query = select(func.count()).select_from(tables.kept_answers).where(mine)
        return int(connection.execute(query).scalar_one())

    def export(self, connection: Connection, person: Person) -> Any:
        """When they were given, and of which decisions; what they say stands elsewhere."""
        column = tables.kept_answers.c
        mine = column.customer.in_(person.numbers)
        rows = connection.execute(select(column.kept_at, column.decision_id).where(mine))
        return [dict(row) for row in rows.mappings()]

    def erase(self, connection: Connection, person: Person) -> None:
        """Delete what they say, and whose they are; so none is given again, and none anew."""
        column = tables.kept_answers.c
        connection.execute(
            update(tables.kept_answers)
            .where(column.customer.in_(person.numbers) | column.customer.is_(None))
            .values(customer=None, decision_id=None, standing=None, content=None)
        )


def audiences(shop: Shop) -> Rows:
    """The audiences that the customer was in."""

    def show(connection: Connection, person: Person) -> Any:
        return memberships(connection, shop.vault, person.numbers)

    return Rows(shop, tables.audience_members, show, "audiences")


def webhook_calls(shop: Shop) -> Rows:
    """What the shop's own programs are still to be told of the customer."""

    def show(connection: Connection, person: Person) -> Any:
        column = tables.webhook_calls.c
        query = select(column.id, column.customer, column.content)
        rows = connection.execute(query.where(column.customer.in_(person.numbers)))
        return [*told_about(connection, shop.vault, [(*row,) for row in rows]).values()]

    remains = (
        "where the shop has programs that are told of erasures: that this one happened, with the"
        " id, sealed, until they have taken it and for three days at most"
    )
    named = "calls to the shop's programs"
    return Rows(shop, tables.webhook_calls, show, named, remains)


def one_time_codes(shop: Shop) -> Rows:
    """The digest of a code, which is nobody's to read."""
    return Rows(shop, tables.one_time_codes, lambda _connection, _person: None)


def payload_keys(shop: Shop) -> Rows:
    """The key that the customer's payloads are sealed with.

    Once it is gone they cannot be read, wherever a copy may lie.
    """
    return Rows(shop, tables.payload_keys, lambda _connection, _person: None)


def merged_numbers(shop: Shop) -> Rows:
    """The numbers of before that stand for the customer; an export names the ids of visitors who
    became the customer.
    """

    def show(connection: Connection, person: Person) -> Any:
        return [
            {"visitor_id": one.visitor_id, "joined_at": one.joined_at, "actor": one.actor}
            for one in visitors_of(connection, person.customer)
        ]

    return Rows(shop, tables.merged_customers, show, "merged numbers", under="kept")


def customer_ids(shop: Shop) -> Rows:
    """The one row that says whose number it is; an export says it at its head."""
    return Rows(shop, tables.customers, lambda _connection, _person: None, "customer id")
