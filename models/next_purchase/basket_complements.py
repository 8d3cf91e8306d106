"""What goes with the products of a basket: for a visitor of whom nothing but the basket is
known.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from models.next_purchase.candidate_declarations import FITS_THE_BASKET
from models.next_purchase.product_statistics import ProductStatistics

BASKET_FEATURE = FITS_THE_BASKET.name
"""What the weight of a companion is called among the features that speak for a product."""
Complement = tuple[str, float]
"""A product's id and its weight: how much the basket speaks for it; positive, without unit,
comparable within one basket.
"""


def complements(
    statistics: ProductStatistics, basket: Collection[str], hidden: Collection[str], most: int
) -> tuple[Complement, ...]:
    """Up to `most` products that the ids in `basket` speak for, best first; equal ones by id.

    The weight adds up what each product of the basket gives to another
    (`models.next_purchase.item_pairs.fitting`, the weights of EASE). Products in the basket,
    `hidden` or no longer sold are left out, and so is what nothing in the basket speaks for.
    """
    given, passed_over = (_positions(statistics, ids) for ids in (set(basket), {*basket, *hidden}))
    weights = np.asarray(statistics.fitting[given].sum(axis=0), dtype=np.float64).ravel()
    weights[~statistics.sold] = 0.0
    weights[passed_over] = 0.0
    best = np.argsort(-weights, kind="stable")[:most]
    kept = best[weights[best] > 0]
    return tuple(zip(statistics.product_ids[kept].tolist(), weights[kept].tolist(), strict=True))


def _positions(
    statistics: ProductStatistics, ids: set[str]
) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    positions = statistics.positions(sorted(ids))
    return positions[positions >= 0]
