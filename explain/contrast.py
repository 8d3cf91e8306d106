"""Why one product stands above another: what each category speaks more for the one than for the
other.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from explain.explanation import Explanation


@dataclass(frozen=True)
class Contrast:
    """`difference` of two scores of one customer, and by category the part it has in that, the
    largest first; parts add up.
    """

    difference: float
    by_category: tuple[tuple[str, float], ...]


def contrast(above: Explanation, below: Explanation) -> Contrast:
    """The contributions to `above` less those to `below`.

    Both have the same base value, so nothing is left over.
    """
    parts: dict[str, float] = defaultdict(float)
    for sign, explanation in ((1, above), (-1, below)):
        for part in explanation.contributions:
            parts[part.category] += sign * part.contribution
    ordered = sorted(parts.items(), key=lambda pair: (-abs(pair[1]), pair[0]))
    return Contrast(above.output_value - below.output_value, tuple(ordered))
