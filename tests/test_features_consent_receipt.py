"""Consent receipts: every field that the documentation names, and no other, with what the ledger
holds.
"""

from __future__ import annotations

import hashlib
import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from features.consent.event import ACTIONS
from features.consent.ledger import ConsentEvent
from features.database.tables import consent_events
from features.shop.consent_receipt import consent_receipt
from features.shop.shop import Shop
from tests.made_up_consents import Moments, rows_of
from tests.synthetic_shop import END

pytestmark = pytest.mark.both_databases

DOCUMENT = Path(__file__).parents[1] / "docs" / "consent-receipts.md"
PURPOSE = "recommendations"
PARTS = {"pii_controllers": "[].", "privacy_notice": ".", "pii_information": "[]."}
"""Fields whose own fields are named in what the documentation says of them."""


def documented() -> set[str]:
    """Full names of the fields in the documentation's table, such as
    `processing[].privacy_notice.text`.
    """
    fields = set()
    for cell, told in re.findall(
        r"^\| (`.*?) \| (.*) \|$", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE
    ):
        first, *others = re.findall("`([^`]+)`", cell)
        parent, _, name = first.rpartition(".")
        fields |= {first, *(f"{parent}.{other}" if parent else other for other in others)}
        if name in PARTS:
            fields |= {f"{first}{PARTS[name]}{inner}" for inner in re.findall("`([^`]+)`", told)}
    return fields


def fields_of(document: Any, path: str = "") -> set[str]:
    """Full names of all fields of a document."""
    found: set[str] = set()
    if isinstance(document, dict):
        for name, value in document.items():
            full = f"{path}.{name}" if path else name
            found |= {full} | fields_of(value, full)
    elif isinstance(document, list):
        for value in document:
            found |= fields_of(value, f"{path}[]")
    return found


def receipt_of(shop: Shop, customer: str = "ann") -> dict[str, Any]:
    """A customer's receipt, by way of JSON."""
    pseudonym = shop.customers.find(customer)
    assert pseudonym is not None
    document: dict[str, Any] = json.loads(
        json.dumps(consent_receipt(shop, pseudonym, customer), allow_nan=False)
    )
    return document


@pytest.fixture
def receipt(fresh_shop: Shop) -> dict[str, Any]:
    """The receipt of a customer who said all kinds of things about one purpose, and nothing about
    the others.
    """
    version = fresh_shop.config.catalog.current_notice(PURPOSE).version
    fresh_shop.ledger.append_all(
        [
            ConsentEvent(
                "ann",
                PURPOSE,
                "purchases",
                "granted",
                "web_form",
                version,
                valid_until="2030-01-01",
                evidence="form 1",
            ),
            ConsentEvent(
                "ann", PURPOSE, "spending", "granted", "web_form", version, valid_until="2024-01-01"
            ),
            ConsentEvent("ann", PURPOSE, "location", "withdrawn", "call", actor="clerk"),
        ]
    )
    return receipt_of(fresh_shop)


def test_the_fields_are_those_of_the_documentation(receipt: dict[str, Any]) -> None:
    """Every field of a receipt is documented, and every documented field is in it."""
    assert fields_of(receipt) == documented()


def test_the_documented_statuses_are_those_that_there_are() -> None:
    """The documentation lists every action of the ledger, and what stands where nothing was
    said.
    """
    (row,) = (
        line
        for line in DOCUMENT.read_text(encoding="utf-8").splitlines()
        if "consent_status`" in line
    )
    assert set(re.findall("`([a-z_]+)`", row.split("|")[2])) == {*ACTIONS, "unknown"}


def test_a_receipt_says_what_stands(receipt: dict[str, Any], fresh_shop: Shop) -> None:
    """For each category the receipt says what the customer said, whether it is in force and until
    when, and which data it is about.
    """
    (entry,) = receipt["processing"]
    stands = {
        part["pii_type"]: (part["consent_status"], part["in_force"], part["valid_until"])
        for part in entry["pii_information"]
    }
    assert stands == {
        "purchases": ("granted", True, "2030-01-01T00:00:00.000000Z"),
        "order_times": ("unknown", False, None),
        "spending": ("expired", False, "2024-01-01T00:00:00.000000Z"),
        "location": ("withdrawn", False, None),
    }
    part = entry["pii_information"][0]
    assert part["fields"] == [
        "transactions.order_id",
        "transactions.product_id",
        "transactions.quantity",
    ]
    assert part["collected_from"] == ["orders"]
    notice = fresh_shop.config.catalog.current_notice(PURPOSE)
    assert (entry["privacy_notice"]["text"], entry["privacy_notice"]["version"]) == (
        notice.text,
        notice.version,
    )
    assert entry["privacy_notice"]["sha256"] == hashlib.sha256(notice.text.encode()).hexdigest()
    assert entry["privacy_notice"]["covers_earlier_data"] is True


def test_a_receipt_holds_every_event(receipt: dict[str, Any], fresh_shop: Shop) -> None:
    """The events are the ledger's, oldest first, with their hashes and digests, and the evidence
    itself is not among them.
    """
    rows = rows_of(fresh_shop.database, consent_events)[-3:]
    assert [event["integrity_hash"] for event in receipt["events"]] == [row["hash"] for row in rows]
    assert [event["evidence_sha256"] for event in receipt["events"]] == [
        row["evidence_digest"] for row in rows
    ]
    assert rows[0]["evidence_digest"] is not None
    assert [event["event_type"] for event in receipt["events"]] == [
        "granted",
        "granted",
        "withdrawn",
    ]
    assert [event["entity"] for event in receipt["events"]] == ["customer", "customer", "clerk"]
    assert "form 1" not in json.dumps(receipt)


def test_a_receipt_names_the_customer_and_who_decides(
    receipt: dict[str, Any], fresh_shop: Shop
) -> None:
    """The receipt is the customer's under the shop's own id; it changes its name with the next
    event, and not with time.
    """
    assert receipt["pii_principal_id"] == "ann"
    (controller,) = receipt["pii_controllers"]
    assert controller["contact"] == fresh_shop.config.shop.human_contact
    fresh_shop.clock = Moments(END + timedelta(days=1))
    later = receipt_of(fresh_shop)
    assert later["record_id"] == receipt["record_id"]
    assert later["issued_at"] > receipt["issued_at"]
    fresh_shop.ledger.append(ConsentEvent("ann", PURPOSE, "purchases", "withdrawn", "web_form"))
    assert receipt_of(fresh_shop)["record_id"] != receipt["record_id"]


def test_a_customer_who_said_nothing_has_an_empty_receipt(fresh_shop: Shop) -> None:
    """Somebody who was never asked gets a receipt without purposes and events."""
    receipt = receipt_of(fresh_shop, "c019")
    assert (receipt["processing"], receipt["events"]) == ([], [])
