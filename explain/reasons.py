"""Reasons in plain words: which of the fixed sentences are said of an answer, filled with the
customer's own numbers.

A sentence never mentions a feature that was withheld, since such a feature has neither value nor
contribution.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from operator import attrgetter
from typing import Any

from explain.explanation import Direction, FeatureContribution, SaidReason
from explain.templates import (
    DISCOVERY,
    TEMPLATES,
    Recorded,
    ShopWords,
    Template,
    Values,
)
from explain.wording import ON, ON_DAY, UNTIL, UP_TO, Wording
from features.catalog import PRODUCT

MOST_REASONS = 4


def reasons_for(
    explained: Sequence[tuple[Sequence[FeatureContribution], Values]],
    templates: tuple[Template, ...],
    shop: ShopWords,
    wording: Wording,
    *,
    helpful_only: bool,
) -> list[list[SaidReason]]:
    """For each answer of which the contributions are `explained`, with all its features that are
    known (never `NaN`): at most four reasons, one for each category, the largest contribution
    first.

    With `helpful_only`, only what speaks for the answer counts, as for a recommendation.
    """
    chosen = [
        sorted(found.values(), key=lambda one: one[0].category == PRODUCT)[:MOST_REASONS]
        for found in _chosen(explained, _by_feature(templates), shop, helpful_only)
    ]
    every = [one for of_answer in chosen for one in of_answer]
    texts = iter(wording.filled([(*words_of(one, values), values) for _, one, values in every]))
    return [
        [
            SaidReason(
                part.category, next(texts), template.key, values, _direction(part, helpful_only)
            )
            for part, template, values in of_answer
        ]
        for of_answer in chosen
    ]


Chosen = tuple[FeatureContribution, Template, Recorded]


def _chosen(
    explained: Sequence[tuple[Sequence[FeatureContribution], Values]],
    speaking: Mapping[str, tuple[Template, ...]],
    shop: ShopWords,
    helpful_only: bool,
) -> list[dict[str, Chosen]]:
    """What is said of each answer, by category, before it is put into words."""
    chosen = []
    for parts, values in explained:
        found: dict[str, Chosen] = {}
        counting = [part for part in parts if part.contribution > 0] if helpful_only else parts
        size = _ADDED if helpful_only else _size
        for part in sorted(counting, key=size, reverse=True):
            if part.category in found:
                continue
            for template in speaking.get(part.feature, ()):
                if (recorded := template.fill(values, shop)) is not None:
                    found[part.category] = (part, template, recorded)
                    break
        chosen.append(found)
    return chosen


_ADDED = attrgetter("contribution")
"""The size of a contribution that is above 0."""


def _size(part: FeatureContribution) -> float:
    return abs(part.contribution)


def _direction(part: FeatureContribution, helpful_only: bool) -> Direction:
    if helpful_only:
        return "for"
    return "raises" if part.contribution > 0 else "lowers"


def with_discovery(reasons: Sequence[SaidReason], wording: Wording) -> list[SaidReason]:
    """The reasons of a product that was drawn by lot: that it was comes first, so that nobody takes
    it for one of their best.
    """
    drawn = SaidReason(
        PRODUCT, wording.fill(DISCOVERY.text, DISCOVERY.many, {}), DISCOVERY.key, {}, "for"
    )
    return [drawn, *reasons][:MOST_REASONS]


def words_of(template: Template, recorded: Mapping[str, Any]) -> tuple[str, str]:
    """The English text and its plural that are said with recorded values."""
    if UNTIL in recorded and template.then:
        return template.then, template.then_many
    return template.text, template.many


def said_again(reason: Mapping[str, Any], wording: Wording) -> str | None:
    """A recorded reason in another language; None where it was recorded without a template, or with
    one that is no more.
    """
    template = TEMPLATES.get(reason.get("template", ""))
    if template is None:
        return None
    try:
        return wording.fill(*words_of(template, reason["values"]), reason["values"])
    except KeyError:
        return None


def sentences_of(
    reasons: Iterable[SaidReason], wording: Wording, others: Iterable[str] = ()
) -> dict[str, list[str]]:
    """The translations that `reasons`, and the sentences `others`, were said in: a replay uses
    these, whatever they are by then.
    """
    said = list(reasons)
    texts = {words_of(TEMPLATES[reason.template], reason.values)[0] for reason in said} | {
        *others,
        "today",
        "yesterday",
    }
    if any({ON, UNTIL} & reason.values.keys() for reason in said):
        texts |= {ON_DAY, UP_TO}
    return {
        text: list(wording.sentences[text]) for text in sorted(texts) if text in wording.sentences
    }


@cache
def _by_feature(templates: tuple[Template, ...]) -> dict[str, tuple[Template, ...]]:
    features = dict.fromkeys(feature for template in templates for feature in template.features)
    return {
        feature: tuple(template for template in templates if feature in template.features)
        for feature in features
    }
