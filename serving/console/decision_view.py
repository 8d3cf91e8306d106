"""A decision as its customer sees it: the recorded answer in words, never made anew."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from features.catalog import Catalog
from serving.bootstrap import Sayso
from serving.decisions.record import Decision, DecisionDamaged
from serving.reviews.review import Review


@dataclass(frozen=True)
class ShownItem:
    """A recommended product with its reasons."""

    product_id: str
    title: str
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class DecisionView:
    """What a customer was told, or that an audience was given.

    `chance` and `band` are a churn estimate's; `gone` says why there is nothing to be shown.
    """

    id: str
    kind: str
    created_at: str
    customer_id: str | None
    review: Review | None
    model: str | None = None
    used: tuple[str, ...] = ()
    withheld: tuple[str, ...] = ()
    items: tuple[ShownItem, ...] = ()
    chance: str | None = None
    band: str | None = None
    reasons: tuple[str, ...] = ()
    without: tuple[tuple[str, str], ...] = field(default=())
    not_personal: str | None = None
    audience: str | None = None
    gone: str | None = None


def decision_view(sayso: Sayso, id: str) -> tuple[DecisionView, int | None]:
    """A decision and its customer's number. Raises `NotFound`."""
    decision, customer_id = sayso.decisions.find(id)
    head = (
        decision.id,
        decision.kind,
        decision.created_at,
        customer_id,
        sayso.reviews.review_of(id),
    )
    try:
        told = _told(sayso.shop.config.catalog, decision)
    except DecisionDamaged as error:
        told = {"gone": str(error)}
    return DecisionView(*head, **told), decision.customer


def _told(catalog: Catalog, decision: Decision) -> dict[str, Any]:
    answer = decision.document()
    reasons = answer.get("explanation", {}).get("reasons", [])
    played = answer.get("explanation", {}).get("categories", {}).get("contributions", [])
    model = answer.get("model")
    return {
        "model": f"{model['name']} {model['version']}" if model else None,
        "used": tuple(_label(catalog, name) for name in answer["consent"].get("used", [])),
        "withheld": tuple(_label(catalog, name) for name in answer["consent"].get("withheld", [])),
        "items": tuple(_item(item) for item in answer.get("items", [])),
        "chance": in_hundred(answer["probability"]) if "probability" in answer else None,
        "band": answer.get("band"),
        "reasons": tuple(reason["text"] for reason in reasons),
        "without": tuple(
            (_label(catalog, part["category"]), in_hundred(part["without"])) for part in played
        ),
        "audience": _audience(answer),
        "not_personal": answer.get("not_personalized_because") or answer.get("unavailable_because"),
    }


def _audience(answer: dict[str, Any]) -> str | None:
    """What an audience is called, and how many were in it; None for any other decision."""
    return (
        f"{answer['audience']}, {answer['customers']:,} customers" if "audience" in answer else None
    )


def _item(item: dict[str, Any]) -> ShownItem:
    said = item.get("explanation", {}).get("reasons", [])
    return ShownItem(item["product_id"], item["title"], tuple(reason["text"] for reason in said))


def _label(catalog: Catalog, name: str) -> str:
    return catalog.categories[name].label if name in catalog.categories else name


def in_hundred(probability: float) -> str:
    """A probability as a count."""
    return f"{round(100 * probability)} in 100"
