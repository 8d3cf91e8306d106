"""What an explanation is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from models.arrays import Floats

Direction = Literal["raises", "lowers", "for"]
"""What a reason speaks for: a higher or a lower estimate, or a product."""


@dataclass(frozen=True)
class FeatureContribution:
    """What one feature added."""

    feature: str
    category: str
    value: float
    contribution: float


@dataclass(frozen=True)
class SaidReason:
    """A sentence, and the category of data it rests on; `template` and `values` say it again in
    another language.
    """

    category: str
    text: str
    template: str
    """The key of one in `explain.templates`."""
    values: Mapping[str, float | str]
    direction: Direction


@dataclass(frozen=True)
class Explanation:
    """From `base_value`, what everybody gets, to `output_value` by way of the features that were
    used.
    """

    base_value: float
    output_value: float
    contributions: tuple[FeatureContribution, ...]


def explanations(
    names: Sequence[str],
    categories: Mapping[str, str],
    values: Floats,
    contributions: Floats,
    base: float,
    outputs: Sequence[float],
) -> list[Explanation]:
    """The explanation of each row, from `values` and `contributions` (rows, features).

    What adds exactly nothing is left out, which a withheld feature always does; the largest come
    first.
    """
    counted = (contributions != 0) & ~np.isnan(values)
    order = np.argsort(-np.abs(contributions), axis=1, kind="stable")
    made = []
    for row, output in enumerate(outputs):
        used = order[row][counted[row, order[row]]].tolist()
        value, part = values[row].tolist(), contributions[row].tolist()
        parts = tuple(
            FeatureContribution(names[i], categories[names[i]], value[i], part[i]) for i in used
        )
        made.append(Explanation(base, output, parts))
    return made
