"""Rounding numbers so that they add up as shown."""

from __future__ import annotations

import math
from collections.abc import Sequence


def rounded_to_sum(parts: Sequence[float], total: int) -> list[int]:
    """Whole numbers near `parts` that add up to `total`: those with the largest remainders are
    rounded up (Hare's method).

    Each is less than 1 from its part as long as `total` is the sum of the parts rounded up or down;
    with no parts there is nothing to give the total to.
    """
    whole = [math.floor(part) for part in parts]
    if not parts:
        return whole
    missing = total - sum(whole)
    by_remainder = sorted(range(len(parts)), key=lambda at: (whole[at] - parts[at], at))
    each, left = divmod(missing, len(parts))
    for place, at in enumerate(by_remainder):
        whole[at] += each + (place < left)
    return whole
