"""What the demo shows: a few customers with different consents, asked about over HTTP as a CRM
would.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx

from features import clock
from features.definitions.frames import feature_frame
from features.errors import NotFound
from features.shop.shop import Shop

Answer = dict[str, Any]
USUAL_ORDERS = 8


@dataclass(frozen=True)
class DemoScript:
    """The answers of the demo, in the order in which they are told."""

    everything: Answer
    purchases_only: Answer
    nothing: Answer
    dismissed: str
    without_dismissed: Answer
    churn: Answer
    withdrawn: str
    before: Answer
    after: Answer
    opted_out: str
    without_product: Answer


class Crm:
    """A client of the service."""

    def __init__(self, url: str, key: str) -> None:
        self._http = httpx.Client(
            base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=30.0
        )

    def ask(self, path: str, body: Mapping[str, Any]) -> Answer:
        """The answer to a POST. Raises `httpx.HTTPStatusError` where it is refused."""
        answer: Answer = self._http.post(path, json=dict(body)).raise_for_status().json()
        return answer

    def recommend(self, customer_id: str) -> Answer:
        """The three best products for a customer."""
        return self.ask("/v1/recommendations", {"customer_id": customer_id, "k": 3})

    def dismiss(self, answer: Answer, product_id: str) -> None:
        """Tell that a customer dismissed a product that an answer recommended."""
        event = {
            "event_id": f"{answer['decision_id']}-dismissed",
            "decision_id": answer["decision_id"],
            "kind": "dismissed",
            "product_id": product_id,
            "occurred_at": clock.to_text(datetime.now(UTC)),
        }
        self.ask("/v1/events", {"events": [event]})

    def close(self) -> None:
        """Give the connection back."""
        self._http.close()


def tell(crm: Crm, shop: Shop) -> DemoScript:
    """Ask about three customers; tell that the second dismissed a product, withdraw a category of
    the first and hide a product from them; and ask again each time.
    """
    chosen = choose(shop)
    first = chosen["everything"]
    everything = crm.recommend(first)
    churn = crm.ask("/v1/churn", {"customer_id": first})
    purpose = shop.config.models.next_purchase.purpose
    withdrawal = {
        "customer_id": first,
        "purpose": purpose,
        "category": "purchases",
        "action": "withdrawn",
        "method": "demo",
    }
    purchases_only, nothing = (
        crm.recommend(chosen["purchases only"]),
        crm.recommend(chosen["nothing"]),
    )
    dismissed = purchases_only["items"][0]
    crm.dismiss(purchases_only, dismissed["product_id"])
    without_dismissed = crm.recommend(chosen["purchases only"])
    crm.ask("/v1/consents", withdrawal)
    after = crm.recommend(first)
    hidden = after["items"][0]
    crm.ask(
        "/v1/opt-outs", {"customer_id": first, "scope": "product", "value": hidden["product_id"]}
    )
    return DemoScript(
        everything,
        purchases_only,
        nothing,
        dismissed["title"],
        without_dismissed,
        churn,
        "purchases",
        everything,
        after,
        hidden["title"],
        crm.recommend(first),
    )


def choose(shop: Shop) -> dict[str, str]:
    """A customer for each kind of consent, by what they share for recommendations; regular ones
    where orders may be read.

    Raises `NotFound` where the shop has no such customer (left).
    """
    asked = set(shop.config.catalog.askable(shop.config.models.next_purchase.purpose))
    wanted = {"everything": asked, "purchases only": {"purchases"}, "nothing": set[str]()}
    return _chosen(shop, wanted)


def sharing_everything(shop: Shop) -> str:
    """A regular customer who shares everything for recommendations. Raises `NotFound`."""
    asked = set(shop.config.catalog.askable(shop.config.models.next_purchase.purpose))
    return _chosen(shop, {"everything": asked})["everything"]


def _chosen(shop: Shop, wanted: Mapping[str, set[str]]) -> dict[str, str]:
    """A customer for each of some sets of categories, by name."""
    section = shop.config.models.next_purchase
    gate = shop.gate(section.purpose)
    orders = (
        feature_frame(gate, ["orders"], shop.loaded_until(), shop.facts)
        .set_index("customer")["orders"]
        .to_dict()
    )
    granted = (
        shop.ledger.granted(section.purpose).groupby("customer")["category"].agg(set).to_dict()
    )
    known = sorted(shop.customers.all().items(), key=lambda pair: pair[1])
    chosen = {}
    for kind, categories in wanted.items():
        fitting = [
            (customer, external_id)
            for customer, external_id in known
            if granted.get(customer, set()) == categories
        ]
        if not fitting:
            raise NotFound(
                f"no customer of this workspace shares {kind}; delete the folder"
                f" {shop.workspace.root} and begin anew"
            )
        chosen[kind] = min(
            fitting, key=lambda pair: abs(orders.get(pair[0], USUAL_ORDERS) - USUAL_ORDERS)
        )[1]
    return chosen
