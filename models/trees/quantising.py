"""Numbers as the trees see them.

The explainer keeps thresholds of splits in single precision, the booster in double. A value that
lies between a threshold and its rounding would fall to one side in a prediction and to the other in
its explanation. So trees are trained on, asked about and explained with values of 20 binary digits
(about six decimal ones): different values are then always far enough apart.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.arrays import Floats

DROPPED_BITS = 3
HALF = np.uint32(1 << (DROPPED_BITS - 1))
KEPT = np.uint32(0xFFFFFFFF - (1 << DROPPED_BITS) + 1)


def rounded(features: Floats) -> Floats:
    """`features` (any shape, float64) to 20 binary digits; `NaN` stays `NaN`."""
    return rounded_single(features).astype(np.float64)


def rounded_single(features: Floats) -> NDArray[np.float32]:
    """The same in single precision, which holds them in half of the memory."""
    bits = np.ascontiguousarray(features, dtype=np.float32).view(np.uint32)
    return ((bits + HALF) & KEPT).view(np.float32)
