"""A churn estimate, as a pure function of what was read."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from explain.explanation import Contribution, explanation
from explain.game import Game, play
from explain.reasons import reasons_for
from explain.templates import CHURN_TEMPLATES, ShopWords
from explain.wording import Wording
from features.errors import ModelUnavailable
from models.arrays import Bools, Floats
from models.churn.bands import band
from models.churn.model import ChurnModel
from serving.churn.actions import suggested
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
    unavailable_because: str | None
    wording: Mapping[str, str]
    customer: Mapping[str, float]
    human_contact: str
    band_set: Mapping[str, str] | None = None

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
    inputs: ChurnInputs, champion: Loaded[ChurnModel] | None, wording: Wording
) -> dict[str, Any]:
    """The part of the answer that follows from `inputs`, the model and the sentences of the
    language.
    """
    answer = {
        "available": champion is not None and inputs.unavailable_because is None,
        "unavailable_because": inputs.unavailable_because,
        "automated": True,
        "disclosure": wording.say(DISCLOSURE),
        "language": inputs.wording["language"],
        "consent": {"used": list(inputs.used), "withheld": list(inputs.withheld)},
        "human_contact": inputs.human_contact,
    }
    if champion is None or inputs.unavailable_because is not None:
        return {**answer, "model": None}
    return {**answer, **_estimated(inputs, champion, wording)}


def _estimated(
    inputs: ChurnInputs, champion: Loaded[ChurnModel], wording: Wording
) -> dict[str, Any]:
    model, attribution = champion.model, champion.attribution
    features = np.array([[inputs.customer.get(name, math.nan) for name in model.features]])
    game = play_churn(model, features, inputs.used)
    log_odds = float(model.log_odds(features)[0])
    parts = attribution.contributions(features)[0]
    why = explanation(
        model.features, model.category_of, features[0], parts, attribution.base_value, log_odds
    )
    shop = ShopWords(inputs.wording["currency"], inputs.wording["home_country"])
    reasons = reasons_for(
        _honest(why.contributions, game),
        inputs.customer,
        CHURN_TEMPLATES,
        shop,
        wording,
        helpful_only=False,
    )
    in_band = band(game.output_value) if inputs.band_set is None else inputs.band_set["band"]
    return {
        "probability": game.output_value,
        "horizon_days": model.horizon_days,
        "band": in_band,
        "expected": None if model.outlook is None else asdict(model.outlook.expected(features)),
        **(
            {}
            if inputs.band_set is None
            else {"band_set_by_review": _set_by(inputs.band_set, game.output_value)}
        ),
        "model": champion.name,
        "explanation": {
            "unit": "log_odds",
            **why.document(),
            "categories": {
                "unit": "probability",
                "base_value": game.base_value,
                "output_value": game.output_value,
                "contributions": [asdict(part) for part in game.played],
            },
            "reasons": [reason.document() for reason in reasons],
        },
        "suggested_actions": _suggested(in_band, inputs, wording),
    }


def _suggested(in_band: str, inputs: ChurnInputs, wording: Wording) -> list[dict[str, str]]:
    actions = suggested(in_band, inputs.customer.get("orders"))
    return [{"action": action.action, "text": wording.say(action.text)} for action in actions]


def _set_by(band_set: Mapping[str, str], probability: float) -> dict[str, str]:
    return {
        "review_id": band_set["review_id"],
        "until": band_set["until"],
        "estimated": band(probability),
    }


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


def _honest(contributions: Sequence[Contribution], game: Game) -> list[Contribution]:
    """Contributions that point the same way as what really happens without their category; no
    sentence says otherwise.
    """
    effect = {part.category: game.output_value - part.without for part in game.played}
    return [
        part for part in contributions if part.contribution * effect.get(part.category, 0.0) > 0
    ]
