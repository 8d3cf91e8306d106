"""What is said of a customer of an audience: each rule that fits them, in a sentence."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from explain.reasons import words_of
from explain.templates import (
    CHANCE,
    CHURN_TEMPLATES,
    SET_BY_REVIEW,
    WORTH,
    Recorded,
    ShopWords,
    Template,
    Values,
)
from explain.wording import Wording
from features.catalog import Catalog
from features.config.audiences import HEARD_FROM, STAGE, AudienceSection
from features.definitions.definitions import STANDARD as DEFINITIONS
from serving.audiences.audience import AudienceReason
from serving.audiences.known import Known

Sentence = tuple[str | None, Template, Recorded]
"""The category that it rests on, and how it is said."""


@dataclass(frozen=True)
class Teller:
    """Says why customers are in an audience; `horizon_days` is that of the churn model, None where
    no rule rests on it.
    """

    audience: AudienceSection
    catalog: Catalog
    known: Known
    shop: ShopWords
    wording: Wording
    horizon_days: int | None

    def reasons(self, asked: Sequence[tuple[int, int]]) -> list[list[AudienceReason]]:
        """The reasons of some customers, each given by place and number."""
        said = [list(self._sentences(place, customer)) for place, customer in asked]
        every = [
            (*words_of(template, values), values) for one in said for _, template, values in one
        ]
        texts = iter(self.wording.filled(every))
        return [
            [AudienceReason(category=category, text=next(texts)) for category, _, _ in one]
            for one in said
        ]

    def _sentences(self, place: int, customer: int) -> Iterator[Sentence]:
        audience = self.audience
        values = {
            name: float(column[place])
            for name, column in self.known.features.items()
            if not math.isnan(column[place])
        }
        if audience.stages:
            yield from self._of_feature(STAGE, values)
        if audience.not_heard_from_days is not None:
            heard = [name for name in HEARD_FROM if name in values]
            yield from self._of_feature(min(heard, key=values.__getitem__), values)
        yield from self._of_estimate(place, customer)

    def _of_feature(self, name: str, values: Values) -> Iterator[Sentence]:
        for template in SPEAKING[name]:
            if (recorded := template.fill(values, self.shop)) is not None:
                (category, *_) = sorted(self.catalog.categories_of(DEFINITIONS.of(name).reads))
                yield category, template, recorded
                return

    def _of_estimate(self, place: int, customer: int) -> Iterator[Sentence]:
        if self.horizon_days is None:
            return
        about = {"horizon": float(self.horizon_days)}
        if self.audience.bands:
            about["chance"] = float(self.known.chance[place])
            if customer in self.known.set:
                yield None, SET_BY_REVIEW, {}
            else:
                yield None, CHANCE, CHANCE.fill(about, self.shop) or {}
        if self.audience.value_at_least is not None:
            about["value"] = float(self.known.value[place])
            yield None, WORTH, WORTH.fill(about, self.shop) or {}


SPEAKING: Mapping[str, tuple[Template, ...]] = {
    name: tuple(template for template in CHURN_TEMPLATES if name in template.features)
    for name in (STAGE, *HEARD_FROM)
}
"""What is said of each feature that a rule may rest on."""
