"""What the next-purchase model answers to many customers, and what they then bought."""

from __future__ import annotations

import pandas as pd

from models.next_purchase.candidates import BATCH
from models.next_purchase.histories import Histories
from models.next_purchase.model import NextPurchaseModel
from models.parallel import in_parallel


def ranked_products(model: NextPurchaseModel, histories: Histories, k: int) -> list[list[str]]:
    """The `k` best products of each row of `histories`."""
    ids = model.maker.statistics.product_ids

    def best(part: tuple[int, Histories]) -> list[list[str]]:
        ranked = model.rank(part[1], k)
        return [ids[ranked.candidates.products[places]].tolist() for places in ranked.best]

    return [answer for answers in in_parallel(best, histories.batches(BATCH)) for answer in answers]


def bought(asked: pd.DataFrame, orders: pd.DataFrame) -> list[set[str]]:
    """The products in each of the orders `asked` (customer, order_id)."""
    held = (
        asked.merge(orders, on=["customer", "order_id"]).groupby("customer")["product_id"].agg(set)
    )
    return [held[customer] for customer in asked["customer"]]
