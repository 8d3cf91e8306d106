"""What looks impossible in a shop's record or in a model's figures, with its likely cause: such a
model is not promoted before somebody has looked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pandas as pd

from features.shop.shop import Shop
from models.next_purchase.orders import orders

MOST = {"auc": 0.99, "recall_at_10": 0.9}
"""Figures above which a forecast knows what it should foresee."""
FEWEST = 30
"""Customers below which shares of them say little."""
MOST_OF_ONE_CUSTOMER = 0.2
MOST_ON_ONE_DAY = 0.5
MOST_BUYERS = 0.95


def odd_figures(metrics: Mapping[str, float]) -> Iterator[str]:
    """Figures of a version that are too good."""
    for name, most in MOST.items():
        if metrics.get(name, 0.0) > most:
            yield (
                f"{name} {metrics[name]:.4f} is above {most}: the data may tell what is to be"
                " foreseen, as where views and carts are loaded as purchases"
            )


def odd_record(shop: Shop) -> Iterator[str]:
    """What is odd in the orders of those who let them be counted."""
    gate = shop.gate(shop.config.models.next_purchase.purpose)
    lines = orders(gate, shop.loaded_until())
    once = lines.drop_duplicates(["customer", "order_id"])
    customers = once["customer"].nunique()
    if customers < FEWEST:
        return
    largest = _largest(once["customer"])
    if largest > MOST_OF_ONE_CUSTOMER:
        yield (
            f"one customer has {largest:.0%} of all orders: guests may share one id; map their"
            " e-mail address as `customer_email`, or name the id under `guests`"
        )
    busiest = _largest(once["ordered_at"].dt.floor("D"))
    if busiest > MOST_ON_ONE_DAY:
        yield (
            f"{busiest:.0%} of all orders are of one day: the column may say when they were"
            " exported; map `ordered_at` to when they were placed"
        )
    bought = lines.drop_duplicates(["customer", "product_id"])["product_id"].value_counts()
    if len(bought) > 1 and bought.iloc[0] > MOST_BUYERS * customers:
        yield (
            f"a product was bought by {bought.iloc[0] / customers:.0%} of the customers: it may be"
            " postage or a fee; name it under `non_products`"
        )
    titles = shop.warehouse.products()["title"].dropna()
    if (named := int(titles.str.contains(r"\S@\S+\.\S", regex=True).sum())) > 0:
        yield (
            f"{named:,} titles of products hold an e-mail address: the column may be of customers;"
            " correct `title` under `columns` of the source"
        )


def _largest(values: pd.Series) -> float:
    """The share of the most frequent value."""
    return float(values.value_counts(normalize=True).iloc[0])
