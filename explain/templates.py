"""The sentences that reasons are said in, with the features they speak of and the values that they
are filled with.

A sentence is declared with its feature, in `features.definitions` and, for the ranker's own, in
`models.next_purchase`; here it is filled in as its declaration says. Its translations stand in
`explain/locales`, by its English text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from explain.wording import ON, UNTIL
from features import clock
from features.definitions.definitions import STANDARD
from features.definitions.feature import Feature, ModelName
from features.definitions.sentence import Bounds, Filling, Kind, Sentence, Value
from models.next_purchase.candidate_declarations import COMPARED
from models.next_purchase.product_declarations import PRODUCT

Values = Mapping[str, float]
Recorded = dict[str, Any]

RAISES, LOWERS, FOR = "raises", "lowers", "for"
"""What a reason speaks for: a higher or a lower chance of leaving, or a product."""


@dataclass(frozen=True)
class ShopWords:
    """What sentences need to know of a shop."""

    currency: str = ""
    home_country: str = ""
    until: datetime | None = None
    """The end of its record, where that is old; None while it is not."""

    @classmethod
    def stated(cls, wording: Mapping[str, str]) -> ShopWords:
        """As an answer's inputs record it."""
        until = clock.from_text(wording["until"]) if "until" in wording else None
        return cls(wording["currency"], wording["home_country"], until)


def recorded_words(
    currency: str, home_country: str | None, language: str, until: str
) -> dict[str, str]:
    """What an answer's inputs record for its sentences; `until` is the end of an old record, and
    not recorded while it is empty.
    """
    said = {"currency": currency, "home_country": home_country or "", "language": language}
    return {**said, "until": until} if until else said


Fill = Callable[[Values, ShopWords], Recorded | None]
"""The values of a sentence, taken from what is known; None where it would not be true, or something
is missing.
"""


@dataclass(frozen=True)
class Template:
    """A sentence.

    `features` are those that it speaks for; `many` is its English plural, decided by `{count}`.
    `then` and `then_many` are said where the record is old.
    """

    key: str
    features: tuple[str, ...]
    fill: Fill
    text: str
    many: str = ""
    then: str = ""
    then_many: str = ""


Writer = Callable[[float], float | None]


def _at_least_one(value: float) -> float | None:
    said = round(value, 2)
    return said if said >= 1 else None


WRITERS: Mapping[Kind, Writer] = {
    "number": lambda value: round(value, 2),
    "number_at_least_one": _at_least_one,
    "tenths": lambda value: round(value, 1),
    "whole": round,
    "hundredths": lambda value: round(100 * value),
}
"""How a value is rounded for its place; None where the sentence is not to be said with it."""


def template_of(sentence: Sentence, features: Sequence[str]) -> Template:
    """The template of a declared sentence, which all of `features` say."""
    speaker, of_now = features[0], sentence.speaks_of_now

    def fill(values: Values, shop: ShopWords) -> Recorded | None:
        for name, bounds in sentence.where.items():
            if not _within(bounds, values.get(name or speaker)):
                return None
        recorded: Recorded = {}
        if shop.until and of_now:
            recorded[UNTIL] = _day(shop.until)
        for place, filling in sentence.places.items():
            said = _filled(filling, speaker, values, shop)
            if said is None:
                return None
            recorded[place] = said
            if place == "amount":
                recorded["currency"] = shop.currency
            if place == "ago" and shop.until and isinstance(filling, Value):
                days = timedelta(days=values[filling.feature or speaker])
                recorded[ON] = _day(shop.until - days)
        return recorded

    return Template(
        sentence.key,
        tuple(features),
        fill,
        sentence.text,
        sentence.many,
        sentence.then,
        sentence.then_many,
    )


def _day(moment: datetime) -> str:
    """The day that ends at a moment, or in which it lies."""
    return (moment - timedelta(microseconds=1)).date().isoformat()


def _within(bounds: Bounds, value: float | None) -> bool:
    if value is None:
        return bounds.unknown
    return bounds.least <= value <= bounds.most and bounds.above < value < bounds.below


def _filled(filling: Filling, speaker: str, values: Values, shop: ShopWords) -> float | str | None:
    """What a place is filled with; None where that is not known."""
    if isinstance(filling, Value):
        value = values.get(filling.feature or speaker)
        return None if value is None else WRITERS[filling.kind](value)
    return shop.home_country if isinstance(filling, str) else filling


def templates_of(features: Iterable[Feature], model: ModelName) -> tuple[Template, ...]:
    """What answers of `model` may say of `features`: each sentence once, in the order in which they
    are declared, with all features that say it.
    """
    speakers: dict[str, list[str]] = {}
    sentences: dict[str, Sentence] = {}
    for feature in features:
        for sentence in feature.sentences(model):
            sentences[sentence.key] = sentence
            speakers.setdefault(sentence.key, []).append(feature.name)
    return tuple(template_of(sentences[key], names) for key, names in speakers.items())


def silences_of(features: Iterable[Feature], model: ModelName) -> dict[str, str]:
    """Features of which answers of `model` say nothing, and why."""
    return {f.name: why for f in features if (why := f.silence(model)) is not None}


CHURN_TEMPLATES = templates_of(STANDARD.used_by("churn"), "churn")
"""What is said of a customer when a feature speaks for or against leaving; of several for a
feature, the first that is true.
"""

_RANKING = (
    *STANDARD.used_by("next_purchase"),
    *(one.feature for one in sorted(COMPARED, key=lambda one: one.of_basket)),
    *PRODUCT,
)
RECOMMENDATION_TEMPLATES = templates_of(_RANKING, "next_purchase")
"""What is said for a recommended product; a higher price is no reason that anybody would want to
read, and is not said.
"""

DISCOVERY = Template(
    "discovery",
    (),
    lambda _values, _shop: {},
    "Outside your best matches: picked by chance, so that you can discover something new.",
)
"""What is said of a product that was drawn by lot for a place, whatever else speaks for it."""

CHANCE = Template(
    "audience.chance",
    (),
    lambda values, _shop: {"share": round(100 * values["chance"]), "wait": values["horizon"]},
    "Chance of no order over {wait}: {share} in 100.",
)
WORTH = Template(
    "audience.worth",
    (),
    lambda values, shop: {
        "amount": round(values["value"], 2),
        "currency": shop.currency,
        "wait": values["horizon"],
    },
    "Expected spending over {wait}: {amount}.",
)
SET_BY_REVIEW = Template(
    "audience.set",
    (),
    lambda _values, _shop: {},
    "A person looked at the estimate and set another band.",
)
AUDIENCE = (CHANCE, WORTH, SET_BY_REVIEW)
"""What is said of who is in an audience, beside the sentences of features: the chance and the value
that the churn model gives for its `horizon`, or that a person set the band.
"""

SILENT: Mapping[str, str] = silences_of(_RANKING, "next_purchase")
"""Features of the ranker that have no sentence, and why."""

TEMPLATES: Mapping[str, Template] = {
    template.key: template
    for template in (*CHURN_TEMPLATES, *RECOMMENDATION_TEMPLATES, DISCOVERY, *AUDIENCE)
}
"""All sentences by key."""
