"""The question behind a recommendation, kept with the decision, so that what else it would be
answered can be asked of serving.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from serving.contract.requests import RecommendationRequest
from serving.decisions.record import Decision

LATELY = ("not_bought_within", "only_new")
"""What of a question is about what was bought before."""


def asked(request: RecommendationRequest, *, basket_counts: bool) -> dict[str, Any]:
    """What of a request says which products may be listed, and in which order.

    A basket that must not count (`basket_counts`) is not kept as one (None): its products are then
    some of those excluded.
    """
    kept = {name: getattr(request, name) for name in ("channel", "product_categories", *LATELY)}
    if basket_counts or not request.basket:
        return {**kept, "basket": request.basket, "exclude": request.exclude}
    return {**kept, "basket": None, "exclude": sorted({*request.basket, *request.exclude})}


def asked_again(decision: Decision, allowed: Collection[str]) -> RecommendationRequest | None:
    """The question that a decision about a customer answered, for who allows these categories now;
    None where it is not known.

    That is so of what an earlier version recorded, and of a basket that was not kept and may count
    by what is allowed since.
    """
    inputs = json.loads(decision.inputs)
    kept = inputs.get("asked")
    if kept is None or (kept["basket"] is None and not set(allowed) <= set(inputs["used"])):
        return None
    return RecommendationRequest.model_construct(  # it was checked when it was asked
        customer_id=str(decision.customer),
        channel=kept["channel"],
        product_categories=None
        if kept["product_categories"] is None
        else tuple(kept["product_categories"]),
        basket=tuple(kept["basket"] or ()),
        **{name: kept.get(name) for name in LATELY},
        exclude_list=inputs.get("exclude_list", {}).get("name"),
        exclude=tuple(kept["exclude"]),
    )
