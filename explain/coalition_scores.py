"""V of every coalition in the game over a product's ranking score: what the ranker gives it with
what each coalition allows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.arrays import Floats
from models.next_purchase.histories import Histories, together
from models.next_purchase.model import NextPurchaseModel
from models.next_purchase.product_statistics import ProductStatistics


@dataclass(frozen=True)
class Allowed:
    """What one coalition allows of a customer: histories of one row, and the statistics that they
    are set against.
    """

    histories: Histories
    statistics: ProductStatistics

    @property
    def content(self) -> tuple[object, ...]:
        """Equal for two that the ranker cannot tell apart; what goes with nothing bought is in no
        statistics.
        """
        held = self.histories
        arrays = (held.products, held.columns, held.customers, held.baskets.products)
        used = len(held.products) + len(held.baskets.products)
        return (id(self.statistics) if used else None, *(array.tobytes() for array in arrays))


def coalition_scores(
    model: NextPurchaseModel, allowed: Sequence[Allowed], product_ids: Sequence[str]
) -> Floats:
    """Scores (coalitions, products) of products that all the statistics know, candidates or not.

    Coalitions that allow the same are asked about once, and all of them in one predict.
    """
    keys = [part.content for part in allowed]
    different = dict(zip(keys, allowed, strict=True))
    row_of: dict[tuple[object, ...], int] = {}
    features = []
    for statistics in {
        id(part.statistics): part.statistics for part in different.values()
    }.values():
        alike = {
            key: part.histories for key, part in different.items() if part.statistics is statistics
        }
        row_of.update({key: len(row_of) + row for row, key in enumerate(alike)})
        features.append(_features(model, together(list(alike.values())), statistics, product_ids))
    scores = model.score(np.vstack(features)).reshape(len(row_of), len(product_ids))
    return scores[[row_of[key] for key in keys]]


def _features(
    model: NextPurchaseModel,
    histories: Histories,
    statistics: ProductStatistics,
    product_ids: Sequence[str],
) -> Floats:
    """What the ranker sees of the products, for each history in turn: (histories x products,
    features).
    """
    maker = replace(model.maker, statistics=statistics)
    positions = statistics.positions(product_ids).astype(np.int64)
    order = np.argsort(positions, kind="stable")
    picked = (
        np.arange(len(histories))[:, None] * len(statistics.product_ids) + positions[order]
    ).ravel()
    found = maker.describe(maker.compare(histories), picked).features.reshape(
        len(histories), len(order), -1
    )
    return found[:, _inverse(order)].reshape(len(picked), -1)


def _inverse(order: NDArray[np.intp]) -> NDArray[np.intp]:
    back = np.empty_like(order)
    back[order] = np.arange(len(order))
    return back
