"""Reasons in plain words: which of the fixed sentences are said of an answer, filled with the
customer's own numbers.

A sentence never mentions a feature that was withheld, since such a feature has neither value nor
contribution.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from explain.explanation import FeatureContribution, SaidReason
from explain.templates import (
    DISCOVERY,
    TEMPLATES,
    Recorded,
    ShopWords,
    Template,
    Values,
)
from explain.wording import Wording
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
    speaking, chosen = _by_feature(templates), []
    ordered = [sorted(parts, key=lambda part: -abs(part.contribution)) for parts, _ in explained]
    for parts, (_, values) in zip(ordered, explained, strict=True):
        found: dict[str, Chosen] = {}
        for part in parts:
            if part.category in found or (helpful_only and part.contribution <= 0):
                continue
            for template in speaking.get(part.feature, ()):
                if (recorded := template.fill(values, shop)) is not None:
                    found[part.category] = (part, template, recorded)
                    break
        chosen.append(found)
    return [_in_words(found.values(), wording, helpful_only=helpful_only) for found in chosen]


Chosen = tuple[FeatureContribution, Template, Recorded]


def _in_words(
    chosen: Collection[Chosen], wording: Wording, *, helpful_only: bool
) -> list[SaidReason]:
    """The first of what is said of one answer, put into words; what is personal comes first."""
    said = sorted(chosen, key=lambda one: one[0].category == PRODUCT)[:MOST_REASONS]
    texts = wording.filled([(one.text, one.many, recorded) for _, one, recorded in said])
    return [
        SaidReason(
            part.category,
            text,
            template.key,
            recorded,
            "for" if helpful_only else "raises" if part.contribution > 0 else "lowers",
        )
        for (part, template, recorded), text in zip(said, texts, strict=True)
    ]


def with_discovery(reasons: Sequence[SaidReason], wording: Wording) -> list[SaidReason]:
    """The reasons of a product that was drawn by lot: that it was comes first, so that nobody takes
    it for one of their best.
    """
    drawn = SaidReason(
        PRODUCT, wording.fill(DISCOVERY.text, DISCOVERY.many, {}), DISCOVERY.key, {}, "for"
    )
    return [drawn, *reasons][:MOST_REASONS]


def said_again(reason: Mapping[str, Any], wording: Wording) -> str | None:
    """A recorded reason in another language; None where it was recorded without a template, or with
    one that is no more.
    """
    template = TEMPLATES.get(reason.get("template", ""))
    if template is None:
        return None
    try:
        return wording.fill(template.text, template.many, reason["values"])
    except KeyError:
        return None


def sentences_of(
    reasons: Iterable[SaidReason], wording: Wording, others: Iterable[str] = ()
) -> dict[str, list[str]]:
    """The translations that `reasons`, and the sentences `others`, were said in: a replay uses
    these, whatever they are by then.
    """
    texts = {TEMPLATES[reason.template].text for reason in reasons} | {
        *others,
        "today",
        "yesterday",
    }
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
