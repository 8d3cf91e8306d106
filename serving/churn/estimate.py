"""A churn estimate, as a pure function of what was read."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np

from explain.explanation import FeatureContribution, explanations
from explain.game import Game, coalitions, game_of
from explain.reasons import reasons_for
from explain.templates import CHURN_TEMPLATES, ShopWords
from explain.wording import Wording
from features.errors import ModelUnavailable
from models.arrays import Floats
from models.churn.bands import Band, band
from models.churn.model import ChurnModel
from models.churn.outlook import Outlook
from serving.churn.actions import suggested
from serving.contract.answers import (
    BandSetByReview,
    CategoryGame,
    ChurnAnswer,
    ChurnExplanation,
    ConsentUsed,
    ExpectedOrders,
    SuggestedAction,
    Unavailable,
)
from serving.decisions.document import ModelName
from serving.live.champions import Loaded

DISCLOSURE = "Estimated automatically from what this customer agreed to share."


@dataclass(frozen=True)
class ChurnInputs:
    """All that an estimate is made from.

    `customer` is already masked by the consent read with it; `wording` names the language.

    `band_set` is the band that a reviewer set for them, which then holds in place of the estimated
    one.
    """

    used: tuple[str, ...]
    withheld: tuple[str, ...]
    unavailable_because: Unavailable | None
    wording: Mapping[str, str]
    customer: Mapping[str, float]
    human_contact: str
    band_set: Mapping[str, Any] | None = None

    def document(self) -> dict[str, Any]:
        """The inputs as plain data."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_document(cls, stated: Mapping[str, Any]) -> ChurnInputs:
        """The inputs that `document` gave.

        Raises `ModelUnavailable` for what an earlier version recorded otherwise.
        """
        if "language" not in stated["wording"]:
            raise ModelUnavailable(
                "This decision was recorded by an earlier version of Sayso: it can be shown, but"
                " not made again."
            )
        own = {field.name: stated[field.name] for field in fields(cls) if field.name in stated}
        return cls(**{**own, "used": tuple(stated["used"]), "withheld": tuple(stated["withheld"])})


def estimate_churn(
    inputs: ChurnInputs, ledger_seq: int, champion: Loaded[ChurnModel] | None, wording: Wording
) -> ChurnAnswer:
    """The answer that follows from `inputs`, the model and the sentences of the language;
    `ledger_seq` is where the ledger stood.
    """
    return estimate_all([(inputs, ledger_seq)], champion, wording)[0]


def estimate_all(
    asked: Sequence[tuple[ChurnInputs, int]],
    champion: Loaded[ChurnModel] | None,
    wording: Wording,
) -> list[ChurnAnswer]:
    """The answers that follow from inputs, each with where the ledger stood, in one language."""
    answers = [_without_estimate(*one, champion, wording) for one in asked]
    available = [at for at, answer in enumerate(answers) if answer.available]
    if champion is None or not available:
        return answers
    known = [asked[at][0] for at in available]
    names = champion.model.features
    features = np.array([[one.customer.get(name, math.nan) for name in names] for one in known])
    games = play_all(champion.model, features, [one.used for one in known])
    why = _explained(known, champion, features, games, wording)
    for row, at in enumerate(available):
        estimate = _Estimate(known[row], features[[row]], games[row], why[row])
        answers[at] = _estimated(answers[at], estimate, champion, wording)
    return answers


def _without_estimate(
    inputs: ChurnInputs, ledger_seq: int, champion: Loaded[ChurnModel] | None, wording: Wording
) -> ChurnAnswer:
    """What an answer says whatever is estimated."""
    return ChurnAnswer(
        available=champion is not None and inputs.unavailable_because is None,
        unavailable_because=inputs.unavailable_because,
        automated=True,
        disclosure=wording.say(DISCLOSURE),
        language=inputs.wording["language"],
        consent=ConsentUsed(ledger_seq=ledger_seq, used=inputs.used, withheld=inputs.withheld),
        human_contact=inputs.human_contact,
        model=None,
    )


@dataclass(frozen=True)
class _Estimate:
    """One estimate: what it is made from, as inputs and as `features` (1, features), and why it is
    what it is.
    """

    inputs: ChurnInputs
    features: Floats
    game: Game
    why: ChurnExplanation


def _estimated(
    answer: ChurnAnswer, made: _Estimate, champion: Loaded[ChurnModel], wording: Wording
) -> ChurnAnswer:
    """The answer with the estimate."""
    model, game, set_band = champion.model, made.game, made.inputs.band_set
    in_band: Band = band(game.output_value) if set_band is None else set_band["band"]
    return replace(
        answer,
        probability=game.output_value,
        horizon_days=model.horizon_days,
        band=in_band,
        expected=None if model.outlook is None else _expected(model.outlook, made.features),
        band_set_by_review=None if set_band is None else _set_by(set_band, game.output_value),
        model=ModelName(**champion.name),
        explanation=made.why,
        suggested_actions=_suggested(in_band, made.inputs, wording),
    )


def _explained(
    known: Sequence[ChurnInputs],
    champion: Loaded[ChurnModel],
    features: Floats,
    games: Sequence[Game],
    wording: Wording,
) -> list[ChurnExplanation]:
    """Why the estimate of each row of `features` is what it is."""
    model, attribution = champion.model, champion.attribution
    log_odds = model.log_odds(features).tolist()
    parts, base = attribution.contributions(features), attribution.base_value
    why = explanations(model.features, model.category_of, features, parts, base, log_odds)
    shop = ShopWords.stated(known[0].wording)
    reasons = reasons_for(
        [
            (_honest(one.contributions, game), inputs.customer)
            for one, game, inputs in zip(why, games, known, strict=True)
        ],
        CHURN_TEMPLATES,
        shop,
        wording,
        helpful_only=False,
    )
    return [
        ChurnExplanation(
            unit="log_odds",
            base_value=one.base_value,
            output_value=one.output_value,
            contributions=one.contributions,
            categories=CategoryGame(
                unit="probability",
                base_value=game.base_value,
                output_value=game.output_value,
                contributions=game.played,
            ),
            reasons=said,
        )
        for one, game, said in zip(why, games, reasons, strict=True)
    ]


def _expected(outlook: Outlook, features: Floats) -> ExpectedOrders:
    return ExpectedOrders(**asdict(outlook.expected(features)))


def _suggested(in_band: Band, inputs: ChurnInputs, wording: Wording) -> list[SuggestedAction]:
    actions = suggested(in_band, inputs.customer.get("orders"))
    return [
        SuggestedAction(action=action.action.value, text=wording.say(action.text))
        for action in actions
    ]


def _set_by(band_set: Mapping[str, Any], probability: float) -> BandSetByReview:
    return BandSetByReview(
        review_id=band_set["review_id"], until=band_set["until"], estimated=band(probability)
    )


def play_churn(model: ChurnModel, features: Floats, granted: Sequence[str]) -> Game:
    """The consent game over `granted` categories for one customer's `features` (1, features)."""
    return play_all(model, features, [granted])[0]


def play_all(model: ChurnModel, features: Floats, granted: Sequence[Sequence[str]]) -> list[Game]:
    """The consent game of each customer, given their `features` (customers, features) and the
    categories that each has `granted`: all coalitions of all of them in one predict.
    """
    categories = model.masking.categories
    players = [[name for name in categories if name in own] for own in granted]
    withheld = []
    for own in players:
        of_own = coalitions(len(own))
        rows = np.ones((len(of_own), len(categories)), dtype=bool)
        rows[:, [categories.index(name) for name in own]] = ~of_own
        withheld.append(rows)
    sizes = [len(rows) for rows in withheld]
    every = np.repeat(features, sizes, axis=0)
    values = model.probability(model.masking.withhold(every, np.concatenate(withheld)))
    parts = np.split(values, np.cumsum(sizes)[:-1])
    return [game_of(own, part) for own, part in zip(players, parts, strict=True)]


def _honest(contributions: Sequence[FeatureContribution], game: Game) -> list[FeatureContribution]:
    """Contributions that point the same way as what really happens without their category; no
    sentence says otherwise.
    """
    effect = {part.category: game.output_value - part.without for part in game.played}
    return [
        part for part in contributions if part.contribution * effect.get(part.category, 0.0) > 0
    ]
