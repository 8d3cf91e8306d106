"""What the next-purchase model answers to many customers, and what they then bought."""

from __future__ import annotations

import pandas as pd

from models.candidates import BATCH
from models.histories import Histories
from models.next_purchase import NextPurchaseModel


def ranked_products(model: NextPurchaseModel, histories: Histories, k: int) -> list[list[str]]:
    """The `k` best products of each row of `histories`."""
    ids = model.maker.statistics.product_ids
    ranked = [model.rank(batch, k) for _, batch in histories.batches(BATCH)]
    return [ids[part.candidates.products[best]].tolist() for part in ranked for best in part.best]


def bought(asked: pd.DataFrame, orders: pd.DataFrame) -> list[set[str]]:
    """The products in each of the orders `asked` (customer, order_id)."""
    held = asked.merge(orders, on=["customer", "order_id"]).groupby("customer")["product_id"].agg(set)
    return [held[customer] for customer in asked["customer"]]
