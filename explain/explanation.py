"""What an explanation is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from models.arrays import Floats

Direction = Literal["raises", "lowers", "for"]
"""What a reason speaks for: a higher or a lower estimate, or a product."""


@dataclass(slots=True)
class FeatureContribution:
    """What one feature added. Hundreds are made for an answer; a frozen one takes five times as
    long to make.
    """

    feature: str
    category: str
    value: float
    contribution: float


@dataclass(slots=True)
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
    counted = np.where(np.isnan(values), 0.0, contributions)
    order = np.argsort(-np.abs(counted), axis=1, kind="stable")
    value, part = (np.take_along_axis(one, order, axis=1).tolist() for one in (values, counted))
    made = []
    for row, many in enumerate(np.count_nonzero(counted, axis=1).tolist()):
        used = order[row, :many].tolist()
        parts = tuple(
            FeatureContribution(names[i], categories[names[i]], known, added)
            for i, known, added in zip(used, value[row], part[row], strict=False)
        )
        made.append(Explanation(base, outputs[row], parts))
    return made
