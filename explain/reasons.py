"""Reasons in plain words: which of the fixed sentences are said of an answer, filled with the
customer's own numbers.

A sentence never mentions a feature that was withheld, since such a feature has neither value nor
contribution.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from explain.explanation import Contribution, Reason
from explain.templates import (
    DISCOVERY,
    FOR,
    LOWERS,
    RAISES,
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
    contributions: Sequence[Contribution],
    values: Values,
    templates: tuple[Template, ...],
    shop: ShopWords,
    wording: Wording,
    *,
    helpful_only: bool,
) -> list[Reason]:
    """At most four reasons, one for each category, the largest contribution first.

    `values` holds all features that are known (never `NaN`). With `helpful_only`, only what speaks
    for the answer counts, as for a recommendation.
    """
    speaking = _by_feature(templates)
    reasons: dict[str, Reason] = {}
    for part in sorted(contributions, key=lambda c: -abs(c.contribution)):
        if part.category in reasons or (helpful_only and part.contribution <= 0):
            continue
        if (said := _said(speaking.get(part.feature, ()), values, shop)) is not None:
            template, recorded = said
            text = wording.fill(template.text, template.many, recorded)
            direction = FOR if helpful_only else RAISES if part.contribution > 0 else LOWERS
            reasons[part.category] = Reason(part.category, text, template.key, recorded, direction)
    personal_first = sorted(reasons.values(), key=lambda reason: reason.category == PRODUCT)
    return personal_first[:MOST_REASONS]


def with_discovery(reasons: Sequence[Reason], wording: Wording) -> list[Reason]:
    """The reasons of a product that was drawn by lot: that it was comes first, so that nobody takes
    it for one of their best.
    """
    drawn = Reason(
        PRODUCT, wording.fill(DISCOVERY.text, DISCOVERY.many, {}), DISCOVERY.key, {}, FOR
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
    reasons: Iterable[Mapping[str, Any]], wording: Wording, others: Iterable[str] = ()
) -> dict[str, list[str]]:
    """The translations that `reasons`, and the sentences `others`, were said in: a replay uses
    these, whatever they are by then.
    """
    texts = {TEMPLATES[reason["template"]].text for reason in reasons} | {
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


def _said(
    templates: Sequence[Template], values: Values, shop: ShopWords
) -> tuple[Template, Recorded] | None:
    """The first sentence that is true of the values, with what it is filled with."""
    for template in templates:
        if (recorded := template.fill(values, shop)) is not None:
            return template, recorded
    return None
