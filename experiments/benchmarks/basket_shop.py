"""Baskets as a shop's orders, so that the next-purchase model of `sayso train` is fitted on them as
on any shop.

Baskets without dates get evenly spaced ones: each customer's last basket of the history lies a
month before now, the one before it two, and the next baskets that may be learnt from are the newest
orders of all. Everything is granted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from experiments.benchmarks.peers.baskets import Known, Rows
from experiments.trials.lineage import reads_by
from experiments.trials.top_products import ranked_products
from features.catalog import Catalog
from features.definitions.definition import ShopFacts
from features.definitions.frames import features_for
from features.intake.public_orders import public_catalog, public_gate
from features.warehouse.fields import ORDER_ID, ORDERED_AT, PRODUCT_ID, QUANTITY
from models.next_purchase.examples import PurchaseData, history_masking
from models.next_purchase.model import NextPurchaseModel
from models.next_purchase.ranker import Examples, NextPurchaseSettings, fit_next_purchase
from models.parallel import in_parallel

PURPOSE = "recommendations"
NOW = datetime(2020, 1, 1)  # noqa: DTZ001 - naive UTC as in the warehouse
FOREVER = 1_000_000
"""Days within which a product counts as still sold: where no dates are known, nothing can be said
to be gone.
"""
PARTS = 10
"""Into how many parts the training customers are split.

What is learnt from next baskets is set against a customer only as learnt from those of the other
parts, else the ranker would learn its own labels.
"""
APART_DAYS = 30
"""A customer's baskets are dated so many days apart."""
GIVEN = (ORDER_ID, PRODUCT_ID, QUANTITY, ORDERED_AT)
"""What a basket tells."""


@dataclass(frozen=True)
class BasketShop:
    """A fold's customers as a shop's: `past` are the orders of the histories, `next` those that may
    be learnt from.
    """

    data: PurchaseData
    catalog: Catalog
    next: pd.DataFrame

    @classmethod
    def of(cls, known: Known) -> BasketShop:
        """The shop that `known` describes."""
        days = timedelta(days=APART_DAYS)
        placed = [
            (customer, NOW - days * (len(history) - number), basket)
            for customer, history in enumerate(known.histories)
            for number, basket in enumerate(history)
        ]
        past = _lines(known.items, placed)
        newest = _lines(
            known.items,
            [(customer, NOW, known.futures[customer]) for customer in known.train.tolist()],
        )
        catalog = public_catalog(PURPOSE, GIVEN)
        features = features_for(catalog, "next_purchase", PURPOSE)
        data = PurchaseData(
            public_gate(past, catalog, PURPOSE), past, features, ShopFacts(), FOREVER
        )
        return cls(data, catalog, newest)

    def fit(self, train: Rows, settings: NextPurchaseSettings) -> NextPurchaseModel:
        """The next-purchase model, fitted on the next baskets of `train`."""
        part = np.random.default_rng(settings.seed).permutation(np.arange(len(train)) % PARTS)
        folds = [
            (train[part == held], train[part != held])
            for held in range(PARTS)
            if (part == held).any()
        ]
        examples = list(in_parallel(lambda fold: self.examples(*fold), folds))
        maker = self._after(train).maker(NOW)
        masking = history_masking(self.data, self.catalog.askable(PURPOSE))
        category_of = {
            name: self.catalog.category_of(fields) for name, fields in reads_by(maker).items()
        }
        return fit_next_purchase(examples, maker, masking, category_of, settings)

    def examples(self, customers: Rows, others: Rows) -> Examples:
        """The next baskets of `customers`, seen with what is known from those of the `others`."""
        maker = self._after(others).maker(NOW)
        bought = self.next[self.next["customer"].isin(customers)]
        positions = maker.statistics.positions(bought["product_id"].tolist())
        keys = (
            np.searchsorted(customers, bought["customer"].to_numpy())
            * len(maker.statistics.product_ids)
            + positions
        )
        return Examples(
            maker,
            self.data.histories(_spine(customers), maker.statistics),
            np.sort(keys[positions >= 0]),
        )

    def rank(self, model: NextPurchaseModel, customers: Rows, k: int) -> list[list[str]]:
        """The `k` best products of each customer."""
        return ranked_products(
            model, self.data.histories(_spine(customers), model.maker.statistics), k
        )

    def _after(self, customers: Rows) -> PurchaseData:
        """The shop when the next baskets of `customers` are known."""
        newest = self.next[self.next["customer"].isin(customers)]
        return replace(self.data, orders=pd.concat([self.data.orders, newest], ignore_index=True))


def _spine(customers: Rows) -> pd.DataFrame:
    return pd.DataFrame({"customer": customers, "as_of": pd.Timestamp(NOW).as_unit("us")})


def _lines(items: Sequence[str], placed: Sequence[tuple[int, datetime, Rows]]) -> pd.DataFrame:
    """Order lines of baskets (customer, when, items), an hour before the moment stated."""
    sizes = [len(basket) for _, _, basket in placed]
    moments = pd.DatetimeIndex([moment - timedelta(hours=1) for _, moment, _ in placed]).as_unit(
        "us"
    )
    product = np.concatenate([basket for _, _, basket in placed] or [np.empty(0, dtype=np.int64)])
    customer = np.repeat(np.array([customer for customer, _, _ in placed], dtype=np.int64), sizes)
    ordered_at = moments.repeat(sizes)
    return pd.DataFrame(
        {
            "customer": customer,
            "order_id": np.repeat(
                np.array([f"{who}/{when:%Y-%m-%d}" for who, when, _ in placed], dtype=object), sizes
            ),
            "product_id": np.array(items, dtype=object)[product],
            "quantity": 1,
            "ordered_at": ordered_at,
        }
    )
