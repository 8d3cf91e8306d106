"""Export and erasure, through every store there is."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, insert, select

from features import clock
from features.consent.event import WITHDRAWN, ConsentEvent
from features.customers import pseudonyms as customers
from features.customers.visitors import visitors_of
from features.database import tables
from features.shop.consent_receipt import consent_receipt
from features.shop.shop import Shop
from serving.access.caller import AT_COMMAND_LINE, Caller
from serving.rights import database_stores as kept
from serving.rights.database_stores import DecisionContents, KeptAnswers, Rows, TrainingSets
from serving.rights.file_stores import TextFiles, WarehouseRows
from serving.rights.store import Person, Store
from serving.webhooks.event import Event, EventKind
from serving.webhooks.outbox import Outbox

METHOD = "erasure"


class Rights:
    """A customer's rights in one shop."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._outbox = Outbox.of(shop)
        self._files: Sequence[Store] = (WarehouseRows(shop), TextFiles(shop))
        self._tables: Sequence[Store] = (
            kept.consents(shop),
            kept.online(shop),
            DecisionContents(shop),
            KeptAnswers(shop),
            Rows(shop, tables.opt_outs),
            kept.corrections(shop),
            kept.arrivals(shop),
            kept.reviews(shop),
            Rows(shop, tables.set_bands, named="bands set by a person"),
            Rows(shop, tables.exposures, named="recommendations shown"),
            kept.events(shop),
            Rows(shop, tables.audit_log, named="who read your data"),
            Rows(shop, tables.wanted_codes),
            kept.one_time_codes(shop),
            Rows(shop, tables.contact_permissions),
            Rows(shop, tables.preferred_channels),
            kept.audiences(shop),
            kept.webhook_calls(shop),
            TrainingSets(shop),
            kept.payload_keys(shop),
            kept.merged_numbers(shop),
            kept.customer_ids(shop),
        )
        self._stores: Sequence[Store] = (*self._files, *self._tables)

    def export(self, customer_id: str) -> dict[str, Any]:
        """Everything held of a customer, with a few plain words before it. Raises `NotFound`."""
        person = self.whose(customer_id)
        with self._shop.database.read() as connection:
            held = {
                store.name.replace(" ", "_"): store.export(connection, person)
                for store in self._stores
            }
        stated = self._shop.config.shop
        return {
            "about": _cover(stated.name, stated.human_contact),
            "customer_id": person.customer_id,
            "issued_at": clock.to_text(self._shop.clock()),
            "controller": {
                "name": stated.name,
                "contact": stated.human_contact,
                "responsible": stated.owner,
            },
            "fields": self._fields(),
            **{name: content for name, content in held.items() if content is not None},
            "consent_receipt": consent_receipt(self._shop, person.customer, person.customer_id),
        }

    def erase(self, customer_id: str, caller: Caller = AT_COMMAND_LINE) -> dict[str, Any]:
        """Erase a customer from every store, keep them out from now on, and say what was found
        before and after.

        Of several calls at once all get the one receipt.

        From its first step on no answer uses anything of theirs. The files come first and the
        database last, in one transaction with the receipt; so an erasure that was cut off can be
        called again. Raises `NotFound`.
        """
        person = self.whose(customer_id)
        with self._shop.database.read() as connection:
            found = {store.name: store.count(connection, person) for store in self._stores}
        self._stop_use(person, caller)
        with self._shop.warehouse.alone(), self._shop.database.write() as connection:
            if (done := _receipt_of(connection, person.customer)) is not None:
                return done
            for store in self._stores:
                store.erase(connection, person)
            receipt = self._receipt(connection, person, found) | {"requested_by": caller.actor}
            row = {
                "id": receipt["erasure_id"],
                "completed_at": receipt["completed_at"],
                "receipt": json.dumps(receipt),
                "customer": person.customer,
            }
            connection.execute(insert(tables.erasures).values(**row))
            about = {"customer_id": person.customer_id, "erasure_id": receipt["erasure_id"]}
            told = Event(EventKind.ERASED, receipt["completed_at"], about)
            self._outbox.note(connection, told)
        self._shop.database.scrub()
        return receipt

    def whose(self, customer_id: str) -> Person:
        """Whom an id is of, however it is written. Raises `NotFound`."""
        customer = self._shop.customers.pseudonym(customer_id)
        with self._shop.database.read() as connection:
            _, *merged = customers.numbers_of(connection, customer)
            written = customers.external_id_of(connection, customer)
            visitors = tuple(one.visitor_id for one in visitors_of(connection, customer))
        return Person(customer, written or customer_id, tuple(merged), visitors)

    def receipt(self, customer: int) -> dict[str, Any] | None:
        """The receipt of a customer who was erased, by the number that stood for them; None where
        nobody was.
        """
        with self._shop.database.read() as connection:
            return _receipt_of(connection, customer)

    def _stop_use(self, person: Person, caller: Caller) -> None:
        """Withdraw all that stands and keep the id out, in one transaction."""
        with self._shop.database.write() as connection:
            events = [
                ConsentEvent(
                    person.customer_id,
                    entry["purpose"],
                    entry["category"],
                    WITHDRAWN,
                    METHOD,
                    actor=caller.actor,
                )
                for entry in self._shop.ledger.state_within(connection, person.customer)
                if entry["allowed"]
            ]
            self._shop.ledger.write(connection, events)
            for one in person.ids:
                customers.suppress(
                    connection,
                    self._shop.vault,
                    one,
                    clock.to_text(self._shop.clock()),
                    self._shop.config.catalog.ids,
                )
        with self._shop.database.read() as connection:
            self._shop.workspace.erasure_list.add(customers.suppressions(connection))

    def _receipt(
        self, connection: Connection, person: Person, found: Mapping[str, int]
    ) -> dict[str, Any]:
        stores = []
        for store in self._stores:
            counts = {
                "found_before": found[store.name],
                "found_after": store.count(connection, person),
            }
            stores.append({"store": store.name, **counts, "remains": store.remains})
        return {
            "erasure_id": "era_" + secrets.token_hex(12),
            "completed_at": clock.to_text(self._shop.clock()),
            "complete": all(store["found_after"] == 0 for store in stores),
            "stores": stores,
            "kept_out": (
                "The id was replaced by a tag that cannot be turned back; with it a later import is"
                " recognised and left out."
            ),
            "outside": (
                "Files that the shop keeps itself, such as the sources named in sayso.toml and"
                " backups, are the shop's to clear."
            ),
        }

    def _fields(self) -> list[dict[str, Any]]:
        catalog = self._shop.config.catalog
        return [
            {
                "field": field.name,
                "what": field.label,
                "category": field.category,
                "used_for": sorted(field.purposes),
                "from": field.source,
                "kept_days": field.retention_days,
            }
            for field in catalog.fields.values()
        ]


def _receipt_of(connection: Connection, customer: int) -> dict[str, Any] | None:
    query = select(tables.erasures.c.receipt).where(tables.erasures.c.customer == customer)
    found = connection.execute(query).scalar_one_or_none()
    return None if found is None else dict(json.loads(found))


def _cover(shop: str, contact: str) -> list[str]:
    return [
        (
            f"This file holds everything that {shop} keeps about you in Sayso, the program that"
            " makes its recommendations and estimates."
        ),
        "warehouse: what you ordered and what we know of you.",
        "fields: what each of its columns is, what it may be used for and how long we keep it.",
        (
            "consents: what you allowed and refused, with every change; consent_receipt says the"
            " same in a standard form."
        ),
        (
            "decisions: what was recommended to you or estimated about you, why, and what each was"
            " made from."
        ),
        "online_features: the figures about you that the next answer would be made from.",
        (
            "opt_outs: what you do not want to be shown. contact_permissions: whether you may be"
            " written to. preferred_channels: how you would rather be."
        ),
        (
            "audiences: the lists of customers to write to that you were on, who took each and why"
            " you were on it. calls_to_the_shop's_programs: what they are still to be told of you."
        ),
        (
            "corrections: what you had put right. reviews: the decisions that you asked a person to"
            " look at, and what came of it."
        ),
        (
            "bands_set_by_a_person: an estimate about you that a person replaced."
            " recommendations_shown: when, where and how many. events: what you did with them."
        ),
        (
            "who_read_your_data: every time that the shop's programs, its staff or a link of yours"
            " read something of you. wanted_codes: codes that you asked for."
            " answers_kept_for_a_day: when those programs asked about you, so that they get the"
            " same answer again."
        ),
        (
            "rows_sent_over_HTTP: what the shop's programs told of your orders as it happened."
            " merged_numbers: ids under which you came as a visitor, before you said who you are."
        ),
        (
            "training_sets: when a model learnt from your orders. files_of_the_workspace: other"
            " files that name you."
        ),
        (
            "You may have anything corrected or erased, or ask a person to look at a decision:"
            f" {contact}"
        ),
    ]
