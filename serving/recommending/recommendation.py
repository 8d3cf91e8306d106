"""A recommendation, as a pure function of what was read: the same inputs give the same answer,
which is what a replay checks.
"""

from __future__ import annotations

import base64
import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from explain.explanation import Contribution, Explanation, explanation
from explain.reasons import reasons_for, with_discovery
from explain.templates import RECOMMENDATION_TEMPLATES, ShopWords
from explain.wording import Wording
from features.catalog import PRODUCT
from features.errors import ModelUnavailable
from models.arrays import Floats
from models.next_purchase.basket_complements import BASKET_FEATURE, Complement
from models.next_purchase.candidates import Candidates
from models.next_purchase.model import NextPurchaseModel
from models.trees.quantising import rounded
from serving.delivery.exploration import Draw, Place, fill
from serving.delivery.relevance_floor import worth_showing
from serving.live.champions import Loaded

PERSONAL = "Chosen automatically from what you agreed to share."
NOT_PERSONAL = "Best sellers, chosen automatically without any personal data."
BY_BASKET = "Chosen automatically by what is in the basket, without any personal data."
DISCLOSURES = (PERSONAL, NOT_PERSONAL, BY_BASKET)
BEST_SELLER_FEATURE = "buyers_last_30_days"
NO_FEATURES: Floats = np.zeros((0, 0))


@dataclass(frozen=True)
class RecommendationInputs:
    """All that an answer is made from.

    `candidates` are the products to rank and `features` (candidates, features) what the ranker sees
    of each, in single precision, made under the consent that was read with them; `best_sellers`
    (product, buyers) stand in where the answer is not personalised, after the `complements`
    (product, weight) of a basket that nobody's name is on. Nothing that must not appear is in
    either. `wording` names the language to answer in, and what its sentences need to know of the
    shop.

    `not_now` is why nothing is shown at this moment, `floor` the relevance floor
    (`serving.delivery.relevance_floor`), and `draw` what discoveries are drawn by
    (`serving.delivery.exploration`), None where there are none. `asked` is the question that all of
    this was read for (`serving.recommending.recorded_question`), None where the answer is not
    personalised.
    """

    k: int
    explain: str
    used: tuple[str, ...]
    withheld: tuple[str, ...]
    not_personalized_because: str | None
    nothing: bool
    wording: Mapping[str, str]
    candidates: tuple[str, ...]
    features: Floats
    best_sellers: tuple[tuple[str, int], ...]
    not_now: Mapping[str, str | None] | None = None
    floor: float = 0.0
    draw: Mapping[str, Any] | None = None
    complements: tuple[Complement, ...] = ()
    asked: Mapping[str, Any] | None = None

    def document(self) -> dict[str, Any]:
        """The inputs as plain data."""
        return {
            **{field.name: getattr(self, field.name) for field in fields(self)},
            "features": pack(self.features),
        }

    @classmethod
    def from_document(cls, stated: Mapping[str, Any]) -> RecommendationInputs:
        """The inputs that `document` gave.

        Raises `ModelUnavailable` for what an earlier version recorded otherwise.
        """
        if "candidates" not in stated or "language" not in stated["wording"]:
            raise ModelUnavailable(
                "This decision was recorded by an earlier version of Sayso: it can be shown, but"
                " not made again."
            )
        lists = {name: tuple(stated[name]) for name in ("used", "withheld", "candidates")}
        stated = {"complements": stated.get("companions", ()), **stated}  # as before version 0.2
        pairs = {
            name: tuple((product, value) for product, value in stated.get(name, ()))
            for name in ("best_sellers", "complements")
        }
        own = {field.name: stated[field.name] for field in fields(cls) if field.name in stated}
        return cls(
            **{
                **own,
                **lists,
                **pairs,
                "features": unpack(stated["features"], len(lists["candidates"])),
            }
        )


@dataclass(frozen=True)
class Listed:
    """The products of an answer, best first, and whether it is a personal one."""

    products: tuple[str, ...]
    personalized: bool


def pack(features: Floats) -> str:
    """A ranker's rows (candidates, features) as text: 32-bit floats, which is all that the trees
    tell apart, zlib, Base64.
    """
    if not len(features):
        return ""
    return base64.b64encode(
        zlib.compress(rounded(features).astype("<f4").tobytes(), level=1)
    ).decode()


def unpack(text: str, candidates: int) -> Floats:
    """What `pack` wrote: (candidates, features) float64."""
    if not candidates:
        return NO_FEATURES
    values = np.frombuffer(zlib.decompress(base64.b64decode(text)), dtype="<f4")
    return values.reshape(candidates, -1).astype(np.float64)


def recommend(
    inputs: RecommendationInputs,
    champion: Loaded[NextPurchaseModel] | None,
    titles: Mapping[str, str],
    wording: Wording,
) -> dict[str, Any]:
    """The part of the answer that follows from `inputs`, the model, the titles of products and the
    sentences of the language.
    """
    items: list[dict[str, Any]] = []
    if inputs.nothing:
        pass
    elif inputs.not_personalized_because or champion is None:
        items = [
            _said(rank, chosen, inputs, wording)
            for rank, chosen in enumerate(_for_anybody(inputs), 1)
        ]
    else:
        items = _ranked(inputs, champion, wording)
    for item in items:
        item["title"] = titles.get(item["product_id"], item["product_id"])
    personalized = inputs.not_personalized_because is None
    return {
        "personalized": personalized,
        "not_personalized_because": inputs.not_personalized_because,
        **(
            {}
            if inputs.not_now is None
            else {
                "not_now_because": inputs.not_now["because"],
                "not_before": inputs.not_now["not_before"],
            }
        ),
        "automated": True,
        "disclosure": wording.say(
            PERSONAL if personalized else BY_BASKET if inputs.complements else NOT_PERSONAL
        ),
        "language": inputs.wording["language"],
        "model": champion.name if personalized and champion else None,
        "consent": {"used": list(inputs.used), "withheld": list(inputs.withheld)},
        "items": items,
    }


def listed(inputs: RecommendationInputs, champion: Loaded[NextPurchaseModel] | None) -> Listed:
    """What `recommend` lists, without a word about any of it."""
    personalized = inputs.not_personalized_because is None
    if inputs.nothing:
        return Listed((), personalized)
    if not personalized or champion is None:
        return Listed(tuple(product for _, product, _ in _for_anybody(inputs)), personalized)
    return Listed(tuple(place.product for place in _placed(inputs, champion)[0]), personalized)


def _ranked(
    inputs: RecommendationInputs, champion: Loaded[NextPurchaseModel], wording: Wording
) -> list[dict[str, Any]]:
    model, attribution = champion.model, champion.attribution
    places, best, found = _placed(inputs, champion)
    scores = found.tolist()
    if inputs.explain == "none":
        return [
            _item(rank, place, score)
            for rank, (place, score) in enumerate(zip(places, scores, strict=True), 1)
        ]
    features = inputs.features[best]
    rows = zip(places, scores, features, attribution.contributions(features), strict=True)
    items = []
    for rank, (place, score, values, parts) in enumerate(rows, 1):
        why = explanation(
            model.features, model.category_of, values, parts, attribution.base_value, score
        )
        known = {
            name: value
            for name, value in zip(model.features, values.tolist(), strict=True)
            if not math.isnan(value)
        }
        items.append(
            {
                **_item(rank, place, score),
                "explanation": _explained(why, known, inputs, wording, explored=place.explored),
            }
        )
    return items


def _placed(
    inputs: RecommendationInputs, champion: Loaded[NextPurchaseModel]
) -> tuple[list[Place], NDArray[np.intp], Floats]:
    """Who has which place; where each of them stands among the candidates, and its score, both
    (places,).
    """
    count = len(inputs.candidates)
    if not count:
        return [], np.zeros(0, dtype=np.intp), np.zeros(0)
    given = Candidates(np.zeros(count, dtype=np.int64), np.arange(count), inputs.features)
    ranked = champion.model.ranked(given, 1, count)
    (order,) = ranked.best
    worth = order[
        worth_showing(ranked.scores[order], champion.attribution.base_value, inputs.floor)
    ]
    at = {inputs.candidates[position]: position for position in worth.tolist()}
    draw = Draw(0.0, "") if inputs.draw is None else Draw.from_document(inputs.draw)
    places = fill(list(at), inputs.k, draw)
    best = np.array([at[place.product] for place in places], dtype=np.intp)
    return places, best, ranked.scores[best]


def _item(rank: int, place: Place, score: float) -> dict[str, Any]:
    return {
        "rank": rank,
        "product_id": place.product,
        "title": place.product,
        "score": score,
        "explored": place.explored,
        "propensity": place.propensity,
    }


def _explained(
    why: Explanation,
    known: Mapping[str, float],
    inputs: RecommendationInputs,
    wording: Wording,
    *,
    explored: bool = False,
) -> dict[str, Any]:
    shop = ShopWords(inputs.wording["currency"], inputs.wording["home_country"])
    reasons = reasons_for(
        why.contributions, known, RECOMMENDATION_TEMPLATES, shop, wording, helpful_only=True
    )
    said = [
        reason.document() for reason in (with_discovery(reasons, wording) if explored else reasons)
    ]
    if inputs.explain == "reasons":
        return {"reasons": said}
    return {**why.document(), "reasons": said}


def _for_anybody(inputs: RecommendationInputs) -> list[tuple[str, str, float]]:
    """What goes with the basket, then best sellers: the feature that speaks for each, the product,
    and the score.

    The score is the weight that the basket gives it, or the number of customers who bought it
    lately.
    """
    with_basket = [(BASKET_FEATURE, product, weight) for product, weight in inputs.complements]
    best = [
        (BEST_SELLER_FEATURE, product, float(buyers)) for product, buyers in inputs.best_sellers
    ]
    return [*with_basket, *best][: inputs.k]


def _said(
    rank: int, chosen: tuple[str, str, float], inputs: RecommendationInputs, wording: Wording
) -> dict[str, Any]:
    feature, product, score = chosen
    item = _item(rank, Place(product, explored=False, propensity=1.0), score)
    if inputs.explain == "none":
        return item
    why = Explanation(0.0, score, (Contribution(feature, PRODUCT, score, score),))
    return {**item, "explanation": _explained(why, {feature: score}, inputs, wording)}
