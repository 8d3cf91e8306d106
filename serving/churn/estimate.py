"""A churn estimate, as a pure function of what was read."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np

from explain.explanation import FeatureContribution, explanations
from explain.game import Game, play
from explain.reasons import reasons_for
from explain.templates import CHURN_TEMPLATES, ShopWords
from explain.wording import Wording
from features.errors import ModelUnavailable
from models.arrays import Bools, Floats
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
    answer = ChurnAnswer(
        available=champion is not None and inputs.unavailable_because is None,
        unavailable_because=inputs.unavailable_because,
        automated=True,
        disclosure=wording.say(DISCLOSURE),
        language=inputs.wording["language"],
        consent=ConsentUsed(ledger_seq=ledger_seq, used=inputs.used, withheld=inputs.withheld),
        human_contact=inputs.human_contact,
        model=None,
    )
    if champion is None or not answer.available:
        return answer
    return _estimated(answer, inputs, champion, wording)


def _estimated(
    answer: ChurnAnswer, inputs: ChurnInputs, champion: Loaded[ChurnModel], wording: Wording
) -> ChurnAnswer:
    """The answer with the estimate."""
    model, set_band = champion.model, inputs.band_set
    features = np.array([[inputs.customer.get(name, math.nan) for name in model.features]])
    game = play_churn(model, features, inputs.used)
    in_band: Band = band(game.output_value) if set_band is None else set_band["band"]
    return replace(
        answer,
        probability=game.output_value,
        horizon_days=model.horizon_days,
        band=in_band,
        expected=None if model.outlook is None else _expected(model.outlook, features),
        band_set_by_review=None if set_band is None else _set_by(set_band, game.output_value),
        model=ModelName(**champion.name),
        explanation=_explained(inputs, champion, features, game, wording),
        suggested_actions=_suggested(in_band, inputs, wording),
    )


def _explained(
    inputs: ChurnInputs,
    champion: Loaded[ChurnModel],
    features: Floats,
    game: Game,
    wording: Wording,
) -> ChurnExplanation:
    """Why the estimate of the one row of `features` is what it is."""
    model, attribution = champion.model, champion.attribution
    log_odds = model.log_odds(features).tolist()
    parts, base = attribution.contributions(features), attribution.base_value
    (why,) = explanations(model.features, model.category_of, features, parts, base, log_odds)
    shop = ShopWords.stated(inputs.wording)
    (reasons,) = reasons_for(
        [(_honest(why.contributions, game), inputs.customer)],
        CHURN_TEMPLATES,
        shop,
        wording,
        helpful_only=False,
    )
    return ChurnExplanation(
        unit="log_odds",
        base_value=why.base_value,
        output_value=why.output_value,
        contributions=why.contributions,
        categories=CategoryGame(
            unit="probability",
            base_value=game.base_value,
            output_value=game.output_value,
            contributions=game.played,
        ),
        reasons=reasons,
    )


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
    """The consent game over `granted` categories for one customer's `features` (1, features): all
    coalitions in one predict.
    """
    players = [name for name in model.masking.categories if name in granted]

    def probabilities(coalitions: Bools) -> Floats:
        withheld = np.ones((len(coalitions), len(model.masking.categories)), dtype=bool)
        withheld[:, [model.masking.categories.index(name) for name in players]] = ~coalitions
        return model.probability(
            model.masking.withhold(np.repeat(features, len(coalitions), axis=0), withheld)
        )

    return play(players, probabilities)


def _honest(contributions: Sequence[FeatureContribution], game: Game) -> list[FeatureContribution]:
    """Contributions that point the same way as what really happens without their category; no
    sentence says otherwise.
    """
    effect = {part.category: game.output_value - part.without for part in game.played}
    return [
        part for part in contributions if part.contribution * effect.get(part.category, 0.0) > 0
    ]
