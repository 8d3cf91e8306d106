"""The relevance floor: what too few would want is not recommended at all.

A ranking score has no unit, but the difference of two has one: the ranker is trained so that a
product with score s is preferred to one with score t with the chance 1 / (1 + exp(t - s)) (RankNet
and LambdaRank, Burges 2010, MSR-TR-2010-82). Each product is set against the all-withheld row, a
product of which nothing is known and a customer of whom nothing is known.
"""

from __future__ import annotations

import math

import numpy as np

from models.arrays import Bools, Floats


def worth_showing(scores: Floats, nothing_known: float, floor: float) -> Bools:
    """Which products (scores, any shape) are preferred to `nothing_known`, the score of the
    all-withheld row, with a chance of `floor`.

    `floor` is from 0 (everything is worth showing) to below 1; 0.5 asks for a score of at least
    `nothing_known`.
    """
    margin = math.log(floor / (1 - floor)) if floor else -math.inf
    return np.asarray(scores - nothing_known >= margin)
