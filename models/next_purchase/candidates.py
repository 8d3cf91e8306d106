"""Which products might be bought next, and what is known of each: the ranker's rows.

Candidates are what a customer bought or looked at before, what goes with it or follows it, and the
best sellers. A customer who withholds both has no history here, so only the best sellers remain.
What is missing from a history is missing from every feature made of it: masking happens once, on
the history, and nowhere in this module.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from features.definitions.frames import are_of_looks
from features.definitions.history import RECENT_FREQUENCY, TIMES_BOUGHT
from models.arrays import Bools, Floats
from models.next_purchase.candidate_declarations import (
    BOUGHT_WITH_YOURS,
    FITS_YOURS,
    FOLLOWS_YOURS,
    ORDERED_NEXT_AFTER_RECENT,
)
from models.next_purchase.candidate_features import Comparison, Rows, candidate_features
from models.next_purchase.histories import Histories
from models.next_purchase.product_statistics import PRODUCT_FEATURES, ProductStatistics

OFFERED = {
    BOUGHT_WITH_YOURS.name: 60,
    FITS_YOURS.name: 80,
    FOLLOWS_YOURS.name: 100,
    ORDERED_NEXT_AFTER_RECENT.name: 30,
}
"""By how a product goes with a history: how many of the best are candidates."""
OFFERED_TO_A_BASKET = 60
BEST_SELLERS = 100
BATCH = 128
NONE: Rows = np.empty(0, dtype=np.int64)

NEVER_BOUGHT = {TIMES_BOUGHT.name: 0.0, RECENT_FREQUENCY.name: 0.0}
"""What holds for a product that is not in a history; other columns of the history have no value
then.
"""


@dataclass(frozen=True)
class Candidates:
    """Products to rank, grouped by row: `rows` int64 ascending, `products` int64, `features`
    (candidates, features) float64.
    """

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
        return (*self.history, *self.customer, *self.candidate, *PRODUCT_FEATURES)

    @cached_property
    def looks(self) -> Bools:
        """Which columns of the history (history,) are of looks rather than of purchases."""
        return are_of_looks(self.history)

    @property
    def candidate(self) -> tuple[str, ...]:
        """Names from `CANDIDATE_READS` whose columns are there."""
        return candidate_features({*self.history, *self.customer})

    def make(
        self,
        histories: Histories,
        hidden: Sequence[int] | NDArray[np.intp] = (),
        hidden_of: Sequence[Rows] = (),
    ) -> Candidates:
        """Candidates of every row of `histories`, but for the products at the positions `hidden`,
        those hidden from one row (`hidden_of` each row, or of none) and those no longer sold.

        Takes memory of rows x products: hand many rows over in batches (`Histories.batches`,
        `BATCH`).
        """
        compared = self.compare(histories)
        return self.describe(compared, self.picked(compared, hidden, hidden_of))

    def compare(self, histories: Histories) -> Comparison:
        """The histories set against all products."""
        return Comparison(histories, self.statistics, self.history, self.customer)

    def picked(
        self,
        compared: Comparison,
        hidden: Sequence[int] | NDArray[np.intp] = (),
        hidden_of: Sequence[Rows] = (),
    ) -> Rows:
        """The candidates of every row as row x products + product, ascending; what is in a row's
        basket is none of its own.
        """
        sold = self.statistics.sold.copy()
        sold[np.asarray(hidden, dtype=np.intp)] = False
        shown = np.tile(sold, (len(compared.histories), 1))
        for row, positions in enumerate(hidden_of):
            shown[row, positions] = False
        own = compared.own[shown.ravel()[compared.own]]
        baskets = compared.histories.baskets
        in_baskets = baskets.rows * len(sold) + baskets.products
        return np.setdiff1d(np.concatenate([own, *self._offered(compared, shown)]), in_baskets)

    def describe(self, compared: Comparison, picked: Rows) -> Candidates:
        """What the ranker sees of products (row x products + product, ascending), candidates or
        not.
        """
        rows, items = np.divmod(picked, len(self.statistics.product_ids))
        columns = (
            self._history_columns(compared.histories, compared.own, picked),
            compared.histories.customers[rows],
            compared.columns(rows, items),
            self.statistics.facts[items],
        )
        return Candidates(rows, items, np.concatenate(columns, axis=1))

    def _offered(self, compared: Comparison, shown: Bools) -> list[Rows]:
        """What goes with the products of each row, and the best sellers; as row x products +
        product.
        """
        best = [
            _best(compared.affinities[name], shown, most)
            for name, most in OFFERED.items()
            if name in compared.affinities
        ]
        if len(compared.histories.baskets.rows):
            best.append(_best(compared.basket_affinity, shown, OFFERED_TO_A_BASKET))
        first = self.statistics.best_sellers
        popular = [
            first[of_row[first]][:BEST_SELLERS] + row * len(of_row)
            for row, of_row in enumerate(shown)
        ]
        return [*best, *popular]

    def _history_columns(self, histories: Histories, own: Rows, picked: Rows) -> Floats:
        """The history's columns for the picked candidates; a product that a known history lacks was
        never bought.

        A column that a history has no value of is withheld, and then so is that a product was never
        bought.
        """
        absent = np.array([NEVER_BOUGHT.get(name, np.nan) for name in self.history])
        rows = picked // len(self.statistics.product_ids)
        counted = np.vstack(
            [np.zeros((1, len(self.history))), np.cumsum(~np.isnan(histories.columns), axis=0)]
        )
        known = counted[histories.starts[1:]] > counted[histories.starts[:-1]]
        columns = np.where(known[rows], absent, np.nan)
        at = np.searchsorted(own, picked).clip(max=max(len(own) - 1, 0))
        if len(own):
            found = own[at] == picked
            told = histories.columns[at[found]]
            columns[found] = np.where(np.isnan(told), columns[found], told)
        return columns


def _best(affinity: Floats, shown: Bools, most: int) -> Rows:
    """The `most` products of each row that are shown (rows, products) and go best with it, as row x
    products + product.
    """
    products = shown.shape[1]
    found = [
        _best_of_one(row, of_row, most) + at * products
        for at, (row, of_row) in enumerate(zip(affinity, shown, strict=True))
    ]
    return np.concatenate([NONE, *found])


def _best_of_one(affinity: Floats, shown: Bools, most: int) -> NDArray[np.intp]:
    """The positions of the `most` products that are shown and go best with one history."""
    fitting = np.flatnonzero((affinity > 0) & shown)
    if len(fitting) <= most:
        return fitting
    return fitting[np.argpartition(-affinity[fitting], most - 1)[:most]]
