"""The page with everything that a customer allows."""

from __future__ import annotations

from dataclasses import dataclass

from features.consent_event import GRANTED, WITHDRAWN, ConsentEvent
from features.errors import ConsentError
from serving.bootstrap import Sayso
from serving.pages.rendering import render

METHOD = "preference_page"
CHANGES = (GRANTED, WITHDRAWN)


@dataclass(frozen=True)
class Choice:
    """One category for one purpose, and whether it is allowed."""

    purpose: str
    category: str
    label: str
    description: str
    allowed: bool


@dataclass(frozen=True)
class Section:
    """The choices of one purpose, under the text that was asked."""

    label: str
    description: str
    notice: str
    choices: tuple[Choice, ...]


def preferences_page(sayso: Sayso, customer: int, token: str, changed: str | None) -> str:
    """The page of one customer, known by pseudonym."""
    catalog = sayso.shop.config.catalog
    allowed = {(entry["purpose"], entry["category"]) for entry in sayso.shop.ledger.state(customer) if entry["allowed"]}
    sections = []
    for purpose in catalog.purposes.values():
        asked = [catalog.categories[name] for name in catalog.askable(purpose.name)]
        choices = tuple(Choice(purpose.name, c.name, c.label, c.description, (purpose.name, c.name) in allowed) for c in asked)
        sections.append(Section(purpose.label, purpose.description, catalog.current_notice(purpose.name).text, choices))
    confirmed = catalog.categories[changed].label if changed is not None and changed in catalog.categories else None
    return render("preferences.html.j2", shop=sayso.shop.config.shop, sections=sections, token=token, changed=confirmed)


def change(sayso: Sayso, customer: int, purpose: str, category: str, action: str) -> None:
    """Record a change that a customer made on a page. Raises `ConsentError` for one that cannot be."""
    if action not in CHANGES:
        raise ConsentError(f"the action {action!r} does not exist; known are {', '.join(CHANGES)}", field="action")
    catalog = sayso.shop.config.catalog
    version = catalog.current_notice(purpose).version if purpose in catalog.purposes else None
    (customer_id,) = sayso.shop.customers.external_ids([customer]).values()
    sayso.shop.ledger.append(ConsentEvent(customer_id, purpose, category, action, METHOD, version))
