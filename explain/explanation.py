"""What an explanation is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_type_hints

import msgspec
import numpy as np
from pydantic import create_model
from pydantic_core import core_schema

from models.arrays import Floats

Direction = Literal["raises", "lowers", "for"]
"""What a reason speaks for: a higher or a lower estimate, or a product."""


class FeatureContribution(msgspec.Struct, gc=False):
    """What one feature added.

    Hundreds are made for an answer, so they are of a kind that is quick to make, and that Python's
    garbage collector, which would look at each of them again and again, passes by.
    """

    feature: str
    category: str
    value: float
    contribution: float

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: object, handler: Callable[[Any], Any]) -> Any:
        """What it states, for the OpenAPI document, and how a reader takes it from JSON."""
        stated = {name: (kind, ...) for name, kind in get_type_hints(cls).items()}
        described: Any = create_model(cls.__name__, **stated)  # type: ignore[call-overload]  # fields by name

        def read(stated: Any) -> FeatureContribution:
            return cls(**dict(stated))

        return core_schema.no_info_after_validator_function(read, handler(described))


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
    whose = np.array([categories[name] for name in names], dtype=object)
    sorted_parts = (
        np.array(names, dtype=object)[order].tolist(),
        whose[order].tolist(),
        np.take_along_axis(values, order, axis=1).tolist(),
        np.take_along_axis(counted, order, axis=1).tolist(),
    )
    many = np.count_nonzero(counted, axis=1).tolist()
    return [
        Explanation(
            base,
            output,
            tuple(map(FeatureContribution, *(stated[:count] for stated in of_row))),
        )
        for output, count, *of_row in zip(outputs, many, *sorted_parts, strict=True)
    ]
