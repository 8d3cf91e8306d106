"""The page "why am I seeing this"."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from features.catalog import PRODUCT, Catalog
from features.clock import from_text
from serving.bootstrap import Sayso
from serving.decisions import Decision
from serving.links import Page
from serving.pages.rendering import in_hundred, render

PURPOSE_OF = {"recommendation": "next_purchase", "churn": "churn"}
WHY_NOT = {
    "unknown_customer": "We had nothing on record about you, so nothing about you was used.",
    "no_consent": "You have not agreed to share anything for this, so nothing about you was used.",
    "opted_out": "You opted out, so nothing about you was used.",
    "privacy_signal": "Your browser asks not to be profiled, so nothing about you was used.",
    "not_now": "It was no moment to show you anything, so nothing was chosen and nothing about you was used.",
    "model_unavailable": "No personal estimate could be made, so nothing about you was used.",
}


@dataclass(frozen=True)
class Used:
    """A category that an answer used: its `reasons`, what the answer would be without it, and whether it is still allowed."""

    name: str
    label: str
    reasons: tuple[str, ...]
    without: str | None
    allowed: bool


def why_page(sayso: Sayso, decision: Decision, customer_id: str | None, token: str, changed: str | None) -> str:
    """The page of one decision."""
    answer = decision.document()
    catalog, shop = sayso.shop.config.catalog, sayso.shop.config.shop
    purpose = _purpose(sayso, decision)
    allowed = _allowed_now(sayso, decision, purpose)
    used = [_used(catalog, name, answer, name in allowed) for name in answer["consent"]["used"]]
    why_not = answer.get("not_personalized_because") or answer.get("unavailable_because")
    return render(
        "why.html.j2",
        shop=shop,
        known=customer_id is not None,
        kind=decision.kind,
        when=from_text(decision.created_at).strftime("%d %B %Y, %H:%M UTC"),
        answer=answer,
        chance=in_hundred(answer["probability"]) if "probability" in answer else None,
        base=in_hundred(answer["explanation"]["categories"]["base_value"]) if "probability" in answer else None,
        used=used,
        withheld=[catalog.categories[name].label for name in answer["consent"]["withheld"]],
        why_not=WHY_NOT[why_not] if why_not else None,
        for_everybody=_for_everybody(answer),
        purpose=purpose,
        token=token,
        preferences=sayso.links.path(Page.PREFERENCES, str(decision.customer)) if decision.customer is not None else None,
        changed=_confirmation(catalog, used, changed),
    )


def _purpose(sayso: Sayso, decision: Decision) -> str:
    purpose: str = getattr(sayso.shop.config.models, PURPOSE_OF[decision.kind]).purpose
    return purpose


def _allowed_now(sayso: Sayso, decision: Decision, purpose: str) -> set[str]:
    if decision.customer is None:
        return set()
    state = sayso.shop.ledger.state(decision.customer)
    return {entry["category"] for entry in state if entry["purpose"] == purpose and entry["allowed"]}


def _used(catalog: Catalog, name: str, answer: dict[str, Any], allowed: bool) -> Used:
    label = catalog.categories[name].label
    if "items" in answer:
        items = answer["items"]
        named = sum(any(reason["category"] == name for reason in _reasons(item)) for item in items)
        said = (
            f"It is a reason for {named} of these {len(items)} products."
            if named
            else "It was used, but is no main reason for these products."
        )
        return Used(name, label, (said,), None, allowed)
    found = [reason["text"] for reason in answer["explanation"]["reasons"] if reason["category"] == name]
    played = {part["category"]: part["without"] for part in answer["explanation"]["categories"]["contributions"]}
    return Used(name, label, tuple(found), in_hundred(played[name]) if name in played else None, allowed)


def _reasons(item: dict[str, Any]) -> list[dict[str, str]]:
    reasons: list[dict[str, str]] = item.get("explanation", {}).get("reasons", [])
    return reasons


def _for_everybody(answer: dict[str, Any]) -> list[str]:
    found = [reason["text"] for item in answer.get("items", []) for reason in _reasons(item) if reason["category"] == PRODUCT]
    return list(dict.fromkeys(found))[:1]


def _confirmation(catalog: Catalog, used: list[Used], changed: str | None) -> str | None:
    for part in used:
        if part.name == changed:
            effect = "may be used again" if part.allowed else "is no longer used for this"
            return f"“{catalog.categories[part.name].label}” {effect}, from now on."
    return None
