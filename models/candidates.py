"""Which products might be bought next, and what is known of each: the ranker's rows.

Candidates are what a customer bought before, what is bought along with it, and the best sellers. A customer who withholds
what they bought has no history here, so only the best sellers remain. What is missing from a history is missing from every
feature made of it: masking happens once, on the history, and nowhere in this module.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from features.fields import COUNTRY, ORDERED_AT, PRODUCT_ID, UNIT_PRICE
from models.histories import Histories
from models.masking import Bools, Floats
from models.product_statistics import PRODUCT_FEATURES, ProductStatistics

SIMILAR = 100
BEST_SELLERS = 100
BATCH = 512

LEARNED_READS = {
    "bought_with_your_products": (PRODUCT_ID,),
    "bought_with_your_last_order": (PRODUCT_ID, ORDERED_AT),
    "popular_where_you_live": (COUNTRY,),
    "price_against_usual": (UNIT_PRICE,),
}
"""Features of a candidate that compare it with a customer's data, and the fields of that data."""

MADE_FROM = {
    "bought_with_your_last_order": "orders_since_last_bought",
    "popular_where_you_live": "home_country",
    "price_against_usual": "usual_price",
}
"""The column of the histories that such a feature is made from; a shop that lacks the column lacks the feature."""

NEVER_BOUGHT = {"times_bought": 0.0, "recent_frequency": 0.0}
"""What holds for a product that is not in a history; other columns of the history have no value then."""

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Candidates:
    """Products to rank, grouped by row: `rows` int64 ascending, `products` int64, `features` (candidates, features) float64."""

    rows: Rows
    products: Rows
    features: Floats


@dataclass(frozen=True)
class CandidateMaker:
    """Makes candidates; `history` and `customer` name the columns of the histories it is given."""

    statistics: ProductStatistics
    history: tuple[str, ...]
    customer: tuple[str, ...]

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the ranker's columns, in order."""
        return (*self.history, *self.customer, *self.learned, *PRODUCT_FEATURES)

    @property
    def learned(self) -> tuple[str, ...]:
        """Names from `LEARNED_READS` whose column is there."""
        given = {None, *self.history, *self.customer}
        return tuple(name for name in LEARNED_READS if MADE_FROM.get(name) in given)

    def make(self, histories: Histories, hidden: Sequence[int] | NDArray[np.intp] = ()) -> Candidates:
        """Candidates of every row of `histories`, but for the products at the positions `hidden` and those no longer sold.

        Takes memory of rows x products: hand many rows over in batches (`Histories.batches`, `BATCH`).
        """
        shown = self.statistics.sold.copy()
        shown[np.asarray(hidden, dtype=np.intp)] = False
        products = len(shown)
        similar = self._similar(histories, np.ones(len(histories.products)))
        own = histories.rows * products + histories.products
        picked = np.unique(np.concatenate([own[shown[histories.products]], *self._offered(similar, shown)]))
        rows, items = np.divmod(picked, products)
        columns = [
            self._history_columns(histories, own, picked),
            histories.customers[rows],
            self._learned(histories, similar, rows, items),
            self.statistics.facts[items],
        ]
        return Candidates(rows, items, np.hstack(columns))

    def _similar(self, histories: Histories, weights: Floats) -> Floats:
        """Summed similarity of all products to the weighted entries of each row, in units of the root of their number."""
        shape = (len(histories), len(self.statistics.product_ids))
        entries = sp.csr_matrix((weights, histories.products, histories.starts), shape=shape)
        sizes = np.asarray(entries.sum(axis=1)).ravel().clip(min=1)
        return np.asarray((entries @ self.statistics.similar).toarray() / np.sqrt(sizes)[:, None])

    def _offered(self, similar: Floats, shown: Bools) -> tuple[Rows, Rows]:
        """What goes with the products of each row, and the best sellers; as row x products + product."""
        products = len(shown)
        best = np.where(shown, similar, 0.0)
        kept = min(SIMILAR, products)
        nearest = np.argpartition(-best, kept - 1, axis=1)[:, :kept]
        rows = np.arange(len(similar))[:, None]
        along = (rows * products + nearest)[best[rows, nearest] > 0]
        popular = self.statistics.best_sellers[shown[self.statistics.best_sellers]][:BEST_SELLERS]
        return along, (rows * products + popular).ravel()

    def _history_columns(self, histories: Histories, own: Rows, picked: Rows) -> Floats:
        """The history's columns for the picked candidates; a product that a known history lacks was never bought."""
        absent = np.array([NEVER_BOUGHT.get(name, np.nan) for name in self.history])
        rows = picked // len(self.statistics.product_ids)
        known = (np.diff(histories.starts) > 0)[rows]
        columns = np.where(known[:, None], absent, np.nan)
        at = np.searchsorted(own, picked).clip(max=max(len(own) - 1, 0))
        if len(own):
            bought = own[at] == picked
            columns[bought] = histories.columns[at[bought]]
        return columns

    def _learned(self, histories: Histories, similar: Floats, rows: Rows, items: Rows) -> Floats:
        """The learned features in use; `NaN` where the history holds nothing to compare with."""
        known = np.diff(histories.starts) > 0
        last = self._column_of(histories, "orders_since_last_bought") == 0
        last_known = np.bincount(histories.rows[last], minlength=len(histories)) > 0
        home, usual = self._customer_of(histories, "home_country"), self._customer_of(histories, "usual_price")
        statistics = self.statistics
        made = {
            "bought_with_your_products": np.where(known[rows], similar[rows, items], np.nan),
            "bought_with_your_last_order": np.where(last_known[rows], self._similar(histories, last.astype(float))[rows, items], np.nan),
            "popular_where_you_live": np.select(
                [home[rows] == 1, home[rows] == 0], [statistics.at_home[items], statistics.abroad[items]], np.nan
            ),
            "price_against_usual": np.log(statistics.prices[items] / usual[rows]),
        }
        return np.column_stack([made[name] for name in self.learned])

    def _column_of(self, histories: Histories, name: str) -> Floats:
        if name not in self.history:
            return np.full(len(histories.products), np.nan)
        return histories.columns[:, self.history.index(name)]

    def _customer_of(self, histories: Histories, name: str) -> Floats:
        if name not in self.customer:
            return np.full(len(histories), np.nan)
        return histories.customers[:, self.customer.index(name)]
