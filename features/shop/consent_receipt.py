"""Consent receipts: what a customer agreed to, in the structure of ISO/IEC TS 27560 (consent record
information structure).

`docs/consent-receipts.md` says what each field means.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from features import clock
from features.shop.shop import Shop

SCHEMA = "ISO/IEC TS 27560:2023"


def consent_receipt(shop: Shop, customer: int, customer_id: str) -> dict[str, Any]:
    """The receipt of one customer as plain data: header, one entry per purpose, and every consent
    event.
    """
    state, history = shop.ledger.state(customer), shop.ledger.history(customer)
    purposes = [
        name
        for name in shop.config.catalog.purposes
        if any(event["purpose"] == name for event in history)
    ]
    return {
        "schema_version": SCHEMA,
        "record_id": f"{customer}-{history[-1]['seq'] if history else 0}",
        "pii_principal_id": customer_id,
        "pii_controllers": [_controller(shop)],
        "issued_at": clock.to_text(shop.clock()),
        "processing": [_processing(shop, purpose, state, history) for purpose in purposes],
        "events": [_event(event) for event in history],
    }


def _controller(shop: Shop) -> dict[str, str]:
    stated = shop.config.shop
    return {"name": stated.name, "contact": stated.human_contact, "responsible": stated.owner}


def _processing(
    shop: Shop,
    purpose: str,
    state: Sequence[Mapping[str, Any]],
    history: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    catalog = shop.config.catalog
    entries = [entry for entry in state if entry["purpose"] == purpose]
    said = [event for event in history if event["purpose"] == purpose]
    shown = next((event for event in reversed(said) if event["notice_version"] is not None), None)
    notice = shown and catalog.notice(purpose, shown["notice_version"], shown["notice_language"])
    return {
        "purpose": purpose,
        "purpose_description": catalog.purposes[purpose].description,
        "lawful_basis": "consent",
        "privacy_notice": (
            notice
            and {
                "id": notice.id,
                "version": notice.version,
                "language": notice.language,
                "text": notice.text,
                "sha256": notice.digest,
                "covers_earlier_data": notice.covers_earlier_data,
            }
        ),
        "pii_information": [_pii(shop, purpose, entry) for entry in entries],
        "automated_decision_making": True,
        "withdrawal_method": (
            "the preference page, POST /v1/consents, or the contact of the controller"
        ),
        "recipients_third_parties": [],
    }


def _pii(shop: Shop, purpose: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    catalog = shop.config.catalog
    held = [
        field
        for field in catalog.fields.values()
        if field.category == entry["category"] and purpose in field.purposes
    ]
    return {
        "pii_type": entry["category"],
        "description": catalog.categories[entry["category"]].description,
        "fields": [field.name for field in held],
        "collected_from": sorted({field.source for field in held}),
        "retention_days": max(field.retention_days for field in held),
        "consent_status": entry["action"],
        "in_force": entry["allowed"],
        "valid_until": entry["valid_until"],
    }


def _event(event: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "event_id": event["seq"],
        "event_type": event["action"],
        "event_time": event["occurred_at"],
        "recorded_at": event["received_at"],
        "purpose": event["purpose"],
        "pii_type": event["category"],
        "notice_version": event["notice_version"],
        "notice_sha256": event["notice_digest"],
        "consent_method": event["method"],
        "entity": event["actor"],
        "valid_until": event["valid_until"],
        "evidence_sha256": event["evidence_digest"],
        "integrity_hash": event["hash"],
    }
