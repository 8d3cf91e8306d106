"""Decisions of tests: an answer that says little, and answers as their readers see them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from features.shop.shop import Shop
from serving.decisions.deciding import Decided, Decider, Made
from serving.decisions.document import plain
from serving.decisions.permissions import Permissions


@dataclass(frozen=True)
class Said:
    """An answer of a test."""

    consent: dict[str, Any]
    items: tuple[Any, ...] = ()


def decide(
    shop: Shop,
    kind: str,
    customer_id: str,
    purpose: str,
    make: Callable[[Permissions], Made[Said]],
) -> Decided[Said]:
    """An answer to a customer of `shop`, recorded."""
    decider = Decider(shop.database, shop.vault, shop.config.catalog, shop.clock)
    return decider.decide(kind, customer_id, purpose, make)


def told(decided: Decided[Any]) -> dict[str, Any]:
    """What an answer says, as plain data, with the decision's id."""
    document: dict[str, Any] = plain(decided.answer)
    return {"decision_id": decided.decision_id, **document}
