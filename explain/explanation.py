"""What an explanation is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.arrays import Floats


@dataclass(frozen=True)
class Contribution:
    """What one feature added to the answer. `value` is the feature's value."""

    feature: str
    category: str
    value: float
    contribution: float


@dataclass(frozen=True)
class Reason:
    """A sentence that a customer understands, and the category of data it rests on.

    `template` and `values` are what it can be said from again in another language (see
    `explain.templates`); `direction` is what it speaks for: `raises` or `lowers` an estimate, or
    `for` a product.
    """

    category: str
    text: str
    template: str
    values: Mapping[str, Any]
    direction: str

    def document(self) -> dict[str, Any]:
        """The reason as plain data."""
        return dict(vars(self))


@dataclass(frozen=True)
class Explanation:
    """From `base_value`, what everybody gets, to `output_value` by way of the features that were
    used.
    """

    base_value: float
    output_value: float
    contributions: tuple[Contribution, ...]

    def document(self) -> dict[str, Any]:
        """The explanation as plain data."""
        return {**vars(self), "contributions": [dict(vars(part)) for part in self.contributions]}


def explanation(
    names: Sequence[str],
    categories: Mapping[str, str],
    values: Floats,
    contributions: Floats,
    base: float,
    output: float,
) -> Explanation:
    """The explanation of one row, from its `values` and `contributions` (features,).

    What adds exactly nothing is left out, which a withheld feature always does; the largest come
    first.
    """
    used = np.flatnonzero((contributions != 0) & ~np.isnan(values))
    order = used[np.argsort(-np.abs(contributions[used]), kind="stable")]
    parts = tuple(
        Contribution(names[i], categories[names[i]], float(values[i]), float(contributions[i]))
        for i in order
    )
    return Explanation(base, output, parts)
