"""What is known of a customer: their features as the consent of one moment allows them, made into
what the ranker is shown.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from explain.coalition_scores import Allowed
from features.shop.online import OnlineRow
from features.shop.withholding import Withholding
from models.next_purchase.histories import Baskets, Histories
from models.next_purchase.product_statistics import ProductStatistics
from models.next_purchase.ranker import NextPurchaseModel


@dataclass(frozen=True)
class Seen:
    """What the ranker `model` is shown of one customer, under several permissions."""

    model: NextPurchaseModel
    allowed: Sequence[Allowed]

    def knows(self, product_id: str) -> bool:
        """Whether there are statistics of a product under every one of the permissions."""
        return all(part.statistics.positions([product_id])[0] >= 0 for part in self.allowed)


def without(row: OnlineRow, products: Collection[str]) -> OnlineRow:
    """A customer's features as if they had never met these products, so that nothing is concluded
    from them.
    """
    kept = [position for position, product in enumerate(row.products) if product not in products]
    if len(kept) == len(row.products):
        return row
    return replace(
        row, products=tuple(row.products[position] for position in kept), columns=row.columns[kept]
    )


def history(
    row: OnlineRow,
    rule: Withholding,
    model: NextPurchaseModel,
    statistics: ProductStatistics,
    basket: Collection[str],
) -> Histories:
    """A customer's features and their basket as the ranker takes them; products without statistics
    are passed over.

    `row` and `basket` are what the consent of this moment allows of them, by `rule`.
    """
    layout, maker = rule.layout, model.maker
    customer = row.customer[[layout.customer.index(name) for name in maker.customer]]
    positions, buying = statistics.positions(row.products), statistics.positions(sorted(basket))
    known = np.flatnonzero(positions >= 0)
    order = known[np.argsort(positions[known], kind="stable")]
    columns = row.columns[order][:, [layout.history.index(name) for name in maker.history]]
    return Histories(
        np.array([0, len(order)]),
        positions[order].astype(np.int64),
        columns,
        customer[None, :],
        Baskets.of_one(buying[buying >= 0]),
    )
