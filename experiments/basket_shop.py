"""Baskets as a shop's orders, so that the next-purchase model of `sayso train` is fitted on them as on any shop.

Baskets without dates get evenly spaced ones: each customer's last basket of the history lies a block of days before now, the
one before it two, and the next baskets that may be learnt from are the newest orders of all. Everything is granted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property

import ibis
import numpy as np
import pandas as pd

from experiments.baskets import Known, Rows
from experiments.lineage import reads_by
from features.catalog import Catalog, Category, Field
from features.definition import ShopFacts
from features.gate import Gate
from features.intake.standard_catalog import CATEGORIES, ORDER_FIELDS
from features.pipeline import features_for
from models.candidates import BATCH
from models.next_purchase import Examples, NextPurchaseModel, NextPurchaseSettings, fit_next_purchase
from models.purchase_examples import BLOCK_DAYS, PurchaseData, history_masking

PURPOSE = "recommendations"
NOW = datetime(2020, 1, 1)  # noqa: DTZ001 - naive UTC as in the warehouse
FOREVER = 1_000_000
"""Days within which a product counts as still sold: where no dates are known, nothing can be said to be gone."""
PARTS = 10
"""Into how many parts the training customers are split. What is learnt from next baskets is set against a customer only as
learnt from those of the other parts, else the ranker would learn its own labels."""
COLUMNS = ("order_id", "product_id", "quantity", "ordered_at")


class BasketGate(Gate):
    """Opens baskets instead of a warehouse; each customer granted everything that a basket can tell."""

    def __init__(self, lines: pd.DataFrame) -> None:
        self.purpose = PURPOSE
        self._lines = lines
        fields = [Field(f.table, f.column, f.category, frozenset({PURPOSE}), "ordinary", "", 1, "") for f in ORDER_FIELDS]
        known = {field.name: field for field in fields if field.column in COLUMNS}
        self._catalog = Catalog(known, {category.name: category for category in _categories(known.values())}, {}, (), {})

    @cached_property
    def _connection(self) -> ibis.backends.duckdb.Backend:
        return ibis.duckdb.connect()

    @property
    def catalog(self) -> Catalog:
        """The fields that a basket has."""
        return self._catalog

    def rows(self, fields: Collection[str], spine: pd.DataFrame) -> ibis.Table:
        """Rows for every (customer, as_of) of `spine`: customer, as_of and `fields`, of the orders before as_of."""
        seen = self._lines.merge(spine[["customer", "as_of"]], on="customer")
        columns = [field.partition(".")[2] for field in fields]
        return ibis.memtable(seen.loc[seen["ordered_at"] < seen["as_of"], ["customer", "as_of", *columns]])

    def collect(self, table: ibis.Table) -> pd.DataFrame:
        """The rows of an expression made from `rows`."""
        frame: pd.DataFrame = self._connection.to_pandas(table)
        for brought in table.op().find(ibis.expr.operations.InMemoryTable):
            self._connection.con.unregister(brought.name)
        return frame

    def customers(self) -> pd.Index:
        """Customers who ordered."""
        return pd.Index(self._lines["customer"].unique())


def _categories(fields: Iterable[Field]) -> list[Category]:
    held = {field.category for field in fields}
    return [category for category in CATEGORIES if category.name in held]


@dataclass(frozen=True)
class BasketShop:
    """A fold's customers as a shop's: `past` are the orders of the histories, `next` those that may be learnt from."""

    data: PurchaseData
    gate: BasketGate
    next: pd.DataFrame

    @classmethod
    def of(cls, known: Known) -> BasketShop:
        """The shop that `known` describes."""
        days = timedelta(days=BLOCK_DAYS)
        placed = [
            (customer, NOW - days * (len(history) - number), basket)
            for customer, history in enumerate(known.histories)
            for number, basket in enumerate(history)
        ]
        past = _lines(known.items, placed)
        newest = _lines(known.items, [(customer, NOW, known.futures[customer]) for customer in known.train.tolist()])
        gate = BasketGate(past)
        features = features_for(gate.catalog, "next_purchase", PURPOSE)
        return cls(PurchaseData(gate, past, features, ShopFacts(), FOREVER), gate, newest)

    def fit(self, train: Rows, settings: NextPurchaseSettings) -> NextPurchaseModel:
        """The next-purchase model, fitted on the next baskets of `train`."""
        part = np.random.default_rng(settings.seed).permutation(np.arange(len(train)) % PARTS)
        examples = [self.examples(train[part == held], train[part != held]) for held in range(PARTS) if (part == held).any()]
        maker = self._after(train).maker(NOW)
        masking = history_masking(self.data, self.gate.catalog.askable(PURPOSE))
        category_of = {name: self.gate.catalog.category_of(fields) for name, fields in reads_by(maker).items()}
        return fit_next_purchase(examples, maker, masking, category_of, settings)

    def examples(self, customers: Rows, others: Rows) -> Examples:
        """The next baskets of `customers`, seen with what is known from those of the `others`."""
        maker = self._after(others).maker(NOW)
        bought = self.next[self.next["customer"].isin(customers)]
        positions = maker.statistics.positions(bought["product_id"].tolist())
        keys = np.searchsorted(customers, bought["customer"].to_numpy()) * len(maker.statistics.product_ids) + positions
        return Examples(maker, self.data.histories(_spine(customers), maker.statistics), np.sort(keys[positions >= 0]))

    def rank(self, model: NextPurchaseModel, customers: Rows, k: int) -> list[list[str]]:
        """The `k` best products of each customer."""
        ids = model.maker.statistics.product_ids
        histories = self.data.histories(_spine(customers), model.maker.statistics)
        ranked = [model.rank(batch, k) for _, batch in histories.batches(BATCH)]
        return [ids[part.candidates.products[best]].tolist() for part in ranked for best in part.best]

    def _after(self, customers: Rows) -> PurchaseData:
        """The shop when the next baskets of `customers` are known."""
        newest = self.next[self.next["customer"].isin(customers)]
        return replace(self.data, orders=pd.concat([self.data.orders, newest], ignore_index=True))


def _spine(customers: Rows) -> pd.DataFrame:
    return pd.DataFrame({"customer": customers, "as_of": pd.Timestamp(NOW).as_unit("us")})


def _lines(items: Sequence[str], placed: Sequence[tuple[int, datetime, Rows]]) -> pd.DataFrame:
    """Order lines of baskets (customer, when, items), an hour before the moment stated."""
    sizes = [len(basket) for _, _, basket in placed]
    moments = pd.DatetimeIndex([moment - timedelta(hours=1) for _, moment, _ in placed]).as_unit("us")
    product = np.concatenate([basket for _, _, basket in placed] or [np.empty(0, dtype=np.int64)])
    customer = np.repeat(np.array([customer for customer, _, _ in placed], dtype=np.int64), sizes)
    ordered_at = moments.repeat(sizes)
    return pd.DataFrame(
        {
            "customer": customer,
            "order_id": np.repeat(np.array([f"{who}/{when:%Y-%m-%d}" for who, when, _ in placed], dtype=object), sizes),
            "product_id": np.array(items, dtype=object)[product],
            "quantity": 1,
            "ordered_at": ordered_at,
        }
    )
