"""A customer's answers with all that explains them, for staff: the same as the customer is told,
and the numbers behind it.

Nothing is recorded: these are the answers that would be given now.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import shap

from explain.analyst import shap_explanation
from explain.contrast import contrast
from explain.explanation import Explanation
from explain.rank_game import RankGame
from features.definitions.frames import feature_frame
from features.errors import ModelUnavailable, NotFound, SaysoError
from serving.bootstrap import Sayso
from serving.contract.answers import ChurnAnswer, Item, RecommendationAnswer
from serving.contract.requests import RecommendationRequest
from serving.decisions.document import plain

SHOWN = 10
WHY_NOT = {
    "unknown_customer": "nothing is on record of this customer that may be used",
    "too_young": "this customer is too young for anything about them to be used",
    "no_consent": (
        "this customer shares nothing for this purpose, so there is nothing to explain: nothing"
        " about them is used"
    ),
    "opted_out": (
        "this customer opted out, so there is nothing to explain: nothing about them is used"
    ),
}


class NothingToExplain(SaysoError):
    """There is no personal answer for this customer."""


def explained_churn(sayso: Sayso, customer_id: str) -> Mapping[str, Any]:
    """The estimate, as `POST /v1/churn` would answer now.

    Raises `NothingToExplain`, `ModelUnavailable`, `NotFound`.
    """
    _require_known(sayso, customer_id)
    answer = sayso.churn.estimate(customer_id)
    _require_personal("churn", answer.unavailable_because)
    return stated(answer)


def explained_recommendations(sayso: Sayso, customer_id: str) -> dict[str, Any]:
    """The best ten products, as `POST /v1/recommendations` would answer now, with the game and what
    puts the first above the second.

    Adds `game` (by product: places and the game over its score) and `contrast`. Raises as
    `explained_churn`.
    """
    customer = _require_known(sayso, customer_id)
    request = RecommendationRequest(customer_id=customer_id, k=SHOWN)
    answer = sayso.what_if.recommendations(customer, request)
    _require_personal("next_purchase", answer.not_personalized_because)
    items = answer.items
    game = sayso.what_if.of_recommendation(customer, [item.product_id for item in items], request)
    return {**stated(answer), "game": _document(game), "contrast": _contrast(items)}


def everybodys_churn(sayso: Sayso) -> shap.Explanation:
    """The contributions to the estimates of everybody who may be estimated, under their consent.

    Raises `ModelUnavailable`.
    """
    champion = sayso.churn.champion
    if champion is None:
        raise ModelUnavailable(WHY_NOT["model_unavailable"])
    shop, model = sayso.shop, champion.model
    frame = feature_frame(
        shop.gate(shop.config.models.churn.purpose), model.features, shop.loaded_until(), shop.facts
    )
    return shap_explanation(model, frame[list(model.features)], champion.attribution)


def _require_known(sayso: Sayso, customer_id: str) -> int:
    customer = sayso.shop.customers.find(customer_id)
    if customer is None:
        raise NotFound(
            "the shop's data has no such customer; an id is that of the column customer_id of its"
            " orders"
        )
    return customer


def _require_personal(model: str, why_not: str | None) -> None:
    if why_not == "model_unavailable":
        raise ModelUnavailable(
            f"no champion for `{model}` can answer. Where no fault is told above, `sayso train"
            f" {model}` and then `sayso promote {model}` make one."
        )
    if why_not is not None:
        raise NothingToExplain(WHY_NOT[why_not])


def _document(game: RankGame | None) -> list[dict[str, Any]]:
    return [] if game is None else [asdict(product) for product in game.products]


def _contrast(items: Sequence[Item]) -> dict[str, Any] | None:
    if len(items) < 2:
        return None
    first, second = (_explanation(item) for item in items[:2])
    return {
        "above": items[0].product_id,
        "below": items[1].product_id,
        **asdict(contrast(first, second)),
    }


def _explanation(item: Item) -> Explanation:
    """The whole explanation of a recommended product."""
    why = item.explanation
    if why is None or why.base_value is None or why.output_value is None:
        raise NothingToExplain("the answer was asked for without its explanation")
    return Explanation(why.base_value, why.output_value, tuple(why.contributions or ()))


def stated(answer: ChurnAnswer | RecommendationAnswer) -> dict[str, Any]:
    """An answer as plain data, without the position of the ledger, which nothing was recorded
    at.
    """
    document: dict[str, Any] = plain(answer)
    del document["consent"]["ledger_seq"]
    return document
