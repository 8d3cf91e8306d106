"""A recommendation, as a pure function of what was read: the same inputs give the same answer,
which is what a replay checks.
"""

from __future__ import annotations

import base64
import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from itertools import zip_longest
from typing import Any

import numpy as np
from numpy.typing import NDArray

from explain.explanation import Explanation, FeatureContribution, explanations
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
from serving.contract.answers import (
    ConsentUsed,
    Item,
    ItemExplanation,
    NotPersonalized,
    RecommendationAnswer,
)
from serving.decisions.document import ModelName
from serving.delivery.exploration import Draw, Place, fill
from serving.live.champions import Loaded
from serving.recommending.filters import worth_showing

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
    (`serving.recommending.filters.worth_showing`), and `draw` what discoveries are drawn by
    (`serving.delivery.exploration`), None where there are none. `asked` is the question that all of
    this was read for (`serving.recommending.recorded_question`), None where the answer is not
    personalised.
    """

    k: int
    explain: str
    used: tuple[str, ...]
    withheld: tuple[str, ...]
    not_personalized_because: NotPersonalized | None
    nothing: bool
    wording: Mapping[str, str]
    candidates: tuple[str, ...] = ()
    features: Floats = field(default_factory=lambda: NO_FEATURES)
    best_sellers: tuple[tuple[str, int], ...] = ()
    not_now: Mapping[str, Any] | None = None
    floor: float = 0.0
    draw: Mapping[str, Any] | None = None
    complements: tuple[Complement, ...] = ()
    asked: Mapping[str, Any] | None = None

    def document(self) -> dict[str, Any]:
        """The inputs as plain data."""
        return {
            **{one.name: getattr(self, one.name) for one in fields(self)},
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
        own = {one.name: stated[one.name] for one in fields(cls) if one.name in stated}
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
    ledger_seq: int,
    champion: Loaded[NextPurchaseModel] | None,
    titles: Mapping[str, str],
    wording: Wording,
) -> RecommendationAnswer:
    """The answer that follows from `inputs`, the model, the titles of products and the sentences of
    the language; `ledger_seq` is where the ledger stood.
    """
    personalized = inputs.not_personalized_because is None
    if inputs.nothing:
        items: Sequence[Item] = ()
    elif not personalized or champion is None:
        items = _for_anybody(inputs, titles, wording)
    else:
        items = _ranked(inputs, champion, titles, wording)
    not_now = inputs.not_now or {}
    return RecommendationAnswer(
        personalized=personalized,
        not_personalized_because=inputs.not_personalized_because,
        not_now_because=not_now.get("because"),
        not_before=not_now.get("not_before"),
        automated=True,
        disclosure=wording.say(
            PERSONAL if personalized else BY_BASKET if inputs.complements else NOT_PERSONAL
        ),
        language=inputs.wording["language"],
        model=ModelName(**champion.name) if personalized and champion else None,
        consent=ConsentUsed(ledger_seq=ledger_seq, used=inputs.used, withheld=inputs.withheld),
        items=items,
    )


def listed(inputs: RecommendationInputs, champion: Loaded[NextPurchaseModel] | None) -> Listed:
    """What `recommend` lists, without a word about any of it."""
    personalized = inputs.not_personalized_because is None
    if inputs.nothing:
        return Listed((), personalized)
    if not personalized or champion is None:
        return Listed(tuple(product for _, product, _ in _chosen(inputs)), personalized)
    return Listed(tuple(place.product for place in _placed(inputs, champion)[0]), personalized)


def _ranked(
    inputs: RecommendationInputs,
    champion: Loaded[NextPurchaseModel],
    titles: Mapping[str, str],
    wording: Wording,
) -> list[Item]:
    """The products of a personal answer, with what the request asked to be explained of them."""
    places, best, scores = _placed(inputs, champion)
    if inputs.explain == "none":
        return _items(places, scores, titles)
    model, attribution = champion.model, champion.attribution
    features, names = inputs.features[best], model.features
    parts = attribution.contributions(features)
    why = explanations(names, model.category_of, features, parts, attribution.base_value, scores)
    known = [
        {name: value for name, value in zip(names, row, strict=True) if not math.isnan(value)}
        for row in features.tolist()
    ]
    return _items(places, scores, titles, _explained(places, why, known, inputs, wording))


def _placed(
    inputs: RecommendationInputs, champion: Loaded[NextPurchaseModel]
) -> tuple[list[Place], NDArray[np.intp], list[float]]:
    """Who has which place, where each of them stands among the candidates, and its score."""
    count = len(inputs.candidates)
    if not count:
        return [], np.zeros(0, dtype=np.intp), []
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
    return places, best, ranked.scores[best].tolist()


def _items(
    places: Sequence[Place],
    scores: Sequence[float],
    titles: Mapping[str, str],
    explained: Sequence[ItemExplanation] = (),
) -> list[Item]:
    return [
        Item(
            rank=rank,
            product_id=place.product,
            title=titles.get(place.product, place.product),
            score=score,
            explored=place.explored,
            propensity=place.propensity,
            explanation=why,
        )
        for rank, (place, score, why) in enumerate(zip_longest(places, scores, explained), 1)
    ]


def _explained(
    places: Sequence[Place],
    why: Sequence[Explanation],
    known: Sequence[Mapping[str, float]],
    inputs: RecommendationInputs,
    wording: Wording,
) -> list[ItemExplanation]:
    """What is told of each place, given `why` it has it and the features `known` of it."""
    shop = ShopWords(inputs.wording["currency"], inputs.wording["home_country"])
    reasons = reasons_for(
        [(one.contributions, values) for one, values in zip(why, known, strict=True)],
        RECOMMENDATION_TEMPLATES,
        shop,
        wording,
        helpful_only=True,
    )
    said = [
        with_discovery(own, wording) if place.explored else own
        for place, own in zip(places, reasons, strict=True)
    ]
    if inputs.explain == "reasons":
        return [ItemExplanation(reasons=own) for own in said]
    return [
        ItemExplanation(
            base_value=one.base_value,
            output_value=one.output_value,
            contributions=one.contributions,
            reasons=own,
        )
        for one, own in zip(why, said, strict=True)
    ]


def _chosen(inputs: RecommendationInputs) -> list[tuple[str, str, float]]:
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


def _for_anybody(
    inputs: RecommendationInputs, titles: Mapping[str, str], wording: Wording
) -> list[Item]:
    """The products of an answer that is not personal, each for the one feature that speaks for
    it.
    """
    chosen = _chosen(inputs)
    places = [Place(product, explored=False, propensity=1.0) for _, product, _ in chosen]
    scores = [score for _, _, score in chosen]
    if inputs.explain == "none":
        return _items(places, scores, titles)
    why = [
        Explanation(0.0, score, (FeatureContribution(feature, PRODUCT, score, score),))
        for feature, _, score in chosen
    ]
    known = [{feature: score} for feature, _, score in chosen]
    return _items(places, scores, titles, _explained(places, why, known, inputs, wording))
