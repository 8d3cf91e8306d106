"""Examples for the next-purchase model: real orders, each seen from the moment before it was
placed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from features.definitions.definition import ShopFacts
from features.definitions.frames import (
    are_of_looks,
    customer_frame,
    history_frame,
    is_of_history,
    reads_of,
)
from features.warehouse.gate import Gate
from models.masking import Masking
from models.next_purchase.candidates import CandidateMaker
from models.next_purchase.histories import Histories, HistoryMasking, histories_of
from models.next_purchase.orders import statistics_at
from models.next_purchase.product_statistics import ProductStatistics
from models.next_purchase.ranker import Examples
from models.next_purchase.time_windows import TimeWindows

MOST_ORDERS = 30_000
"""At most so many orders of all time windows together are learnt from: a quarter of them already
teaches the ranker all it can learn.
"""
SEED = 7


@dataclass(frozen=True)
class PurchaseData:
    """Everything the model may read of a shop, through one gate."""

    gate: Gate
    orders: pd.DataFrame
    features: tuple[str, ...]
    shop: ShopFacts
    sold_within_days: int
    windows: TimeWindows = field(default_factory=TimeWindows)

    @property
    def history(self) -> tuple[str, ...]:
        """Features of a history with a product."""
        return tuple(name for name in self.features if is_of_history(name))

    @property
    def customer(self) -> tuple[str, ...]:
        """Features of a customer."""
        return tuple(name for name in self.features if not is_of_history(name))

    def maker(self, as_of: datetime) -> CandidateMaker:
        """Candidates from the statistics as of one moment."""
        statistics = statistics_at(self.gate, self.orders, as_of, self.sold_within_days, self.shop)
        return CandidateMaker(statistics, self.history, self.customer)

    def histories(self, spine: pd.DataFrame, statistics: ProductStatistics) -> Histories:
        """Histories of the rows of `spine` (customer, as_of), as the gate lets them be seen."""
        customers = customer_frame(self.gate, self.customer, spine, self.shop)[
            list(self.customer)
        ].to_numpy("float64")
        history = history_frame(self.gate, self.history, spine, self.shop)
        return histories_of(
            spine,
            customers,
            history,
            statistics.positions(history["product_id"].tolist()),
            self.history,
        )

    def examples(self, begin: datetime) -> tuple[Examples, pd.DataFrame]:
        """The last repeat order of each customer in the time window from `begin`, and these orders
        (customer, as_of, order_id).

        Of more than a time window's part of `MOST_ORDERS` so many are drawn at random.
        """
        maker = self.maker(begin)
        placed = last_repeat_orders(self.orders, begin, begin + timedelta(days=self.windows.days))
        spine = _enough(placed, MOST_ORDERS // self.windows.count)
        bought = self.orders.merge(spine.reset_index(names="row"), on=["customer", "order_id"])
        positions = maker.statistics.positions(bought["product_id"].tolist())
        keys = bought["row"].to_numpy() * len(maker.statistics.product_ids) + positions
        return Examples(
            maker, self.histories(spine, maker.statistics), np.sort(keys[positions >= 0])
        ), spine

    def begins(self, until: datetime) -> list[datetime]:
        """Beginnings of the time windows, newest first; the newest ends at `until`."""
        return self.windows.begins(self.orders["ordered_at"].min(), until)


def last_repeat_orders(orders: pd.DataFrame, begin: datetime, end: datetime) -> pd.DataFrame:
    """The last order of each customer from `begin` until `end` who had ordered before: customer,
    as_of, order_id.
    """
    placed = orders.drop_duplicates(["customer", "order_id"])[
        ["customer", "order_id", "ordered_at"]
    ]
    before = placed.groupby("customer")["ordered_at"].transform("min") < placed["ordered_at"]
    inside = (placed["ordered_at"] >= pd.Timestamp(begin)) & (
        placed["ordered_at"] < pd.Timestamp(end)
    )
    last = placed[before & inside].drop_duplicates("customer", keep="last")
    # in the order of the shop's own order numbers: the same data gives the same model whatever the
    # pseudonyms are
    return last.rename(columns={"ordered_at": "as_of"}).sort_values(
        ["as_of", "order_id"], ignore_index=True
    )


def _enough(spine: pd.DataFrame, most: int) -> pd.DataFrame:
    if len(spine) <= most:
        return spine
    kept = np.sort(np.random.default_rng(SEED).choice(len(spine), most, replace=False))
    return spine.iloc[kept].reset_index(drop=True)


def history_masking(data: PurchaseData, categories: Sequence[str]) -> HistoryMasking:
    """Which categories the history, its columns and the customer's columns need, by the shop's
    catalog.
    """
    needed = data.gate.categories_of
    columns = Masking.of([needed(reads_of(name)) for name in data.history], categories)
    customers = Masking.of([needed(reads_of(name)) for name in data.customer], categories)
    looks = are_of_looks(data.history)
    bought = [name for name, is_look in zip(data.history, looks, strict=True) if not is_look]
    entries = frozenset().union(*(needed(reads_of(name)[:1]) for name in bought))
    return HistoryMasking(entries, columns, customers, looks)
