"""An answer as it leaves: with the shop's own id of the customer and the links to their pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from serving.access.signed_links import Page
from serving.bootstrap import Sayso


def addressed(sayso: Sayso, answer: Mapping[str, Any], customer_id: str | None) -> dict[str, Any]:
    """`answer` with `customer_id`, `why_url` and `preferences_url`; an unknown customer has no
    preferences.
    """
    known = None if customer_id is None else sayso.shop.customers.find(customer_id)
    return {
        "decision_id": answer["decision_id"],
        "customer_id": customer_id,
        **answer,
        "why_url": sayso.links.url(Page.WHY, answer["decision_id"]),
        "preferences_url": None if known is None else sayso.links.url(Page.PREFERENCES, str(known)),
    }
