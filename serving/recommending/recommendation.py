"""A recommendation, as a pure function of what was read: the same inputs give the same answer,
which is what a replay checks.
"""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from itertools import accumulate, pairwise, zip_longest
from typing import Any

import numpy as np
from numpy.typing import NDArray

from explain.explanation import Explanation, FeatureContribution, explanations
from explain.reasons import reasons_for, with_discovery
from explain.templates import RECOMMENDATION_TEMPLATES, ShopWords
from explain.wording import Wording
from features.catalog import PRODUCT
from features.errors import ModelUnavailable
from models.arrays import Bools, Floats
from models.next_purchase.basket_complements import BASKET_FEATURE, Complement
from models.next_purchase.model import NextPurchaseModel
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
_SHAPE = struct.Struct("<II")


@dataclass(frozen=True)
class RecommendationInputs:
    """All that an answer is made from.

    `ranked` are the candidates that are worth showing, best first: all of them where discoveries
    are drawn from them, else those that get a place. `features` (places, features) are what the
    ranker sees of those, in single precision, made under the consent that was read with them;
    `best_sellers` (product, buyers) stand in where the answer is not personalised, after the
    `complements` (product, weight) of a basket that nobody's name is on. Nothing that must not
    appear is in either. `wording` names the language to answer in, and what its sentences need to
    know of the shop.

    `send_at` is when the answer is to be shown, None for now; `not_now` is why nothing is then, and
    `draw` what discoveries are drawn by (`serving.delivery.exploration`), None where there are
    none. `asked` is the question that all of this was read for
    (`serving.recommending.recorded_question`), None where the answer is not personalised.
    """

    k: int
    explain: str
    used: tuple[str, ...]
    withheld: tuple[str, ...]
    not_personalized_because: NotPersonalized | None
    nothing: bool
    wording: Mapping[str, str]
    ranked: tuple[str, ...] = ()
    features: Floats = field(default_factory=lambda: NO_FEATURES)
    best_sellers: tuple[tuple[str, int], ...] = ()
    not_now: Mapping[str, Any] | None = None
    draw: Mapping[str, Any] | None = None
    complements: tuple[Complement, ...] = ()
    asked: Mapping[str, Any] | None = None
    send_at: str | None = None

    def document(self) -> dict[str, Any]:
        """The inputs as plain data."""
        return {
            **{one.name: getattr(self, one.name) for one in fields(self)},
            "features": pack(self.features),
        }

    @property
    def places(self) -> list[Place]:
        """Who has which place."""
        draw = Draw(0.0, "") if self.draw is None else Draw.from_document(self.draw)
        return fill(self.ranked, self.k, draw)

    @classmethod
    def from_document(
        cls, stated: Mapping[str, Any], champion: Loaded[NextPurchaseModel] | None
    ) -> RecommendationInputs:
        """The inputs that `document` gave; what earlier versions recorded is ranked by the
        `champion` that answered.

        Raises `ModelUnavailable` for what cannot be made again.
        """
        if "ranked" not in stated:
            stated = _of_before(stated, champion)
        lists = {name: tuple(stated[name]) for name in ("used", "withheld", "ranked")}
        pairs = {
            name: tuple((product, value) for product, value in stated.get(name, ()))
            for name in ("best_sellers", "complements")
        }
        own = {one.name: stated[one.name] for one in fields(cls) if one.name in stated}
        features = unpack(stated["features"])
        return cls(**{**own, **lists, **pairs, "features": features})


def _of_before(
    stated: Mapping[str, Any], champion: Loaded[NextPurchaseModel] | None
) -> dict[str, Any]:
    """Inputs of before, which held what the ranker saw of every candidate."""
    if "candidates" not in stated or "language" not in stated["wording"]:
        raise ModelUnavailable(
            "This decision was recorded by an earlier version of Sayso: it can be shown, but"
            " not made again."
        )
    known = {"complements": stated.get("companions", ()), **stated}  # as before version 0.2
    candidates = tuple(known["candidates"])
    if not candidates or champion is None:
        return {**known, "ranked": (), "features": ""}
    features = _unpack_rows(known["features"], len(candidates))
    scores = champion.model.score(features)
    names = np.array(candidates, dtype=np.str_)
    worth = worth_showing(scores, champion.attribution.base_value, known.get("floor", 0.0))
    ranking = rank(names, features, scores, worth)
    draw = known.get("draw")
    places = fill(ranking.products, known["k"], Draw.from_document(draw) if draw else Draw(0.0, ""))
    return {**known, "ranked": ranking.products, "features": pack(ranking.of(places))}


@dataclass(frozen=True)
class Ranking:
    """The candidates that are worth showing, best first: `products`, what the ranker saw of each,
    `features` (products, features), and the `scores` that it gave them (products,).
    """

    products: tuple[str, ...]
    features: Floats
    scores: Floats

    def of(self, places: Sequence[Place]) -> Floats:
        """What the ranker saw of those that have a place (places, features)."""
        at = {product: position for position, product in enumerate(self.products)}
        return self.features[[at[place.product] for place in places]]


def rank(
    candidates: NDArray[np.str_],
    features: Floats,
    scores: Floats,
    worth: Bools,
    most: int | None = None,
) -> Ranking:
    """Rank candidates by their `scores`; equal ones in their order, and only those that are `worth`
    it; the best so many of them, or all.

    What the ranker sees of each, `features` (candidates, features), is in single precision.
    """
    order = np.argsort(-scores, kind="stable")
    best = order[worth[order]][:most]
    return Ranking(tuple(candidates[best].tolist()), features[best], scores[best])


@dataclass(frozen=True)
class Listed:
    """The products of an answer, best first, and whether it is a personal one."""

    products: tuple[str, ...]
    personalized: bool


def pack(features: Floats) -> str:
    """What a ranker sees of some products (products, features) as text: 32-bit floats, which is all
    that the trees tell apart, feature after feature and byte after byte, so that like stands beside
    like; zlib, Base64.
    """
    if not len(features):
        return ""
    numbers = np.ascontiguousarray(features.T, dtype="<f4")
    raw = numbers.view(np.uint8).reshape(*numbers.shape, 4).transpose(2, 0, 1)
    about = _SHAPE.pack(*features.shape)
    return base64.b64encode(zlib.compress(about + raw.tobytes())).decode()


def unpack(text: str) -> Floats:
    """What `pack` wrote: (products, features) float64."""
    if not text:
        return NO_FEATURES
    content = zlib.decompress(base64.b64decode(text))
    products, wide = _SHAPE.unpack_from(content)
    raw = np.frombuffer(content, dtype=np.uint8, offset=_SHAPE.size).reshape(4, wide, products)
    numbers = np.ascontiguousarray(raw.transpose(1, 2, 0)).view("<f4")[..., 0]
    return np.ascontiguousarray(numbers.T, dtype=np.float64)


def _unpack_rows(text: str, rows: int) -> Floats:
    """What was written before, row after row: (rows, features) float64."""
    values = np.frombuffer(zlib.decompress(base64.b64decode(text)), dtype="<f4")
    return values.reshape(rows, -1).astype(np.float64)


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
    return recommend_all([(inputs, ledger_seq)], champion, titles, wording)[0]


def recommend_all(
    asked: Sequence[tuple[RecommendationInputs, int]],
    champion: Loaded[NextPurchaseModel] | None,
    titles: Mapping[str, str],
    wording: Wording,
) -> list[RecommendationAnswer]:
    """The answers that follow from inputs, each with where the ledger stood, which differ in whom
    they are for and in nothing else that was asked.
    """
    personal = [
        at
        for at, (inputs, _) in enumerate(asked)
        if inputs.not_personalized_because is None and not inputs.nothing and champion is not None
    ]
    ranked = {}
    if personal and champion is not None:
        lists = _ranked([asked[at][0] for at in personal], champion, titles, wording)
        ranked = dict(zip(personal, lists, strict=True))
    answers = []
    for at, (inputs, ledger_seq) in enumerate(asked):
        items: Sequence[Item] = ()
        if not inputs.nothing:
            items = ranked[at] if at in ranked else _for_anybody(inputs, titles, wording)
        answers.append(_answer(inputs, ledger_seq, champion, items, wording))
    return answers


def _answer(
    inputs: RecommendationInputs,
    ledger_seq: int,
    champion: Loaded[NextPurchaseModel] | None,
    items: Sequence[Item],
    wording: Wording,
) -> RecommendationAnswer:
    personalized = inputs.not_personalized_because is None
    not_now = inputs.not_now or {}
    return RecommendationAnswer(
        personalized=personalized,
        not_personalized_because=inputs.not_personalized_because,
        not_now_because=not_now.get("because"),
        not_before=not_now.get("not_before"),
        send_at=inputs.send_at,
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
    return Listed(tuple(place.product for place in inputs.places), personalized)


def _ranked(
    asked: Sequence[RecommendationInputs],
    champion: Loaded[NextPurchaseModel],
    titles: Mapping[str, str],
    wording: Wording,
) -> list[list[Item]]:
    """The products of personal answers, with what the request asked to be explained of them."""
    by_answer = [inputs.places for inputs in asked]
    places = [place for own in by_answer for place in own]
    if not places:
        return [[] for _ in asked]
    model, attribution = champion.model, champion.attribution
    features = np.concatenate([inputs.features for inputs in asked if len(inputs.features)])
    scores = model.score(features).tolist()
    explained: list[ItemExplanation] = []
    if asked[0].explain != "none":
        parts, names = attribution.contributions(features), model.features
        base = attribution.base_value
        why = explanations(names, model.category_of, features, parts, base, scores)
        known = [
            {name: value for name, value in zip(names, row, strict=True) if value == value}  # noqa: PLR0124 - which a missing one is not
            for row in features.tolist()
        ]
        explained = _explained(places, why, known, asked[0], wording)
    ends = list(accumulate(map(len, by_answer), initial=0))
    return [
        _items(places[begin:end], scores[begin:end], titles, explained[begin:end])
        for begin, end in pairwise(ends)
    ]


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
    shop = ShopWords.stated(inputs.wording)
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
