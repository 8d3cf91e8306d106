"""What the ranker learns from by setting a candidate against what is known of the customer.

What is missing from a history is missing from every feature made of it: masking happens once, on
the history, and nowhere in this module.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from features.definitions.beside_orders.looked_at import DAYS_SINCE_IN_BASKET
from features.definitions.customer import HOME_COUNTRY, ORDERS, USUAL_PRICE
from features.definitions.frames import are_of_looks
from features.definitions.history import (
    DAYS_SINCE_LAST_BOUGHT,
    ORDERS_SINCE_LAST_BOUGHT,
    RECENT_FREQUENCY,
    TIMES_BOUGHT,
)
from models.arrays import Bools, Floats
from models.next_purchase.candidate_declarations import (
    COMPARED,
    EVERYTHING,
    FITS_YOURS,
    LAST,
    RECENT,
    Affinity,
    Place,
)
from models.next_purchase.histories import Histories
from models.next_purchase.product_statistics import ProductStatistics
from models.trees.jit import compiled

CANDIDATE_READS = {one.feature.name: one.reads for one in COMPARED}
"""Features of a candidate that compare it with a customer's data, and the fields of that data."""

MADE_FROM = {one.feature.name: tuple(made.name for made in one.made_from) for one in COMPARED}
"""The columns of the histories that such a feature is made from; a shop that lacks one lacks the
feature.
"""

AFFINITIES = {
    one.feature.name: (one.how.matrix, one.how.decay)
    for one in COMPARED
    if isinstance(one.how, Affinity)
}
"""Features that sum a matrix of products by products over a history: the matrix, and the decay from
order to order.
"""

PLACES = {one.feature.name: one.how.affinity.name for one in COMPARED if isinstance(one.how, Place)}
"""Features that count the products that go still better with a history, by one of `AFFINITIES`."""

COMPUTED = {one.feature.name: one.how for one in COMPARED if isinstance(one.how, str)}
"""Features that a method of `Comparison` makes, by its name."""

Rows = NDArray[np.int64]


def candidate_features(given: Collection[str]) -> tuple[str, ...]:
    """Names from `CANDIDATE_READS` that can be made where the histories have the columns
    `given`.
    """
    return tuple(name for name in CANDIDATE_READS if set(MADE_FROM[name]) <= set(given))


@dataclass(frozen=True)
class Comparison:
    """Histories set against all products; `history` and `customer` name the columns of the
    histories.
    """

    histories: Histories
    statistics: ProductStatistics
    history: tuple[str, ...]
    customer: tuple[str, ...]

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the columns, in order."""
        return candidate_features({*self.history, *self.customer})

    @cached_property
    def _count(self) -> int:
        return len(self.histories)

    @cached_property
    def own(self) -> Rows:
        """What each history holds, as row x products + product."""
        return self.histories.rows * len(self.statistics.product_ids) + self.histories.products

    @cached_property
    def _bought(self) -> Bools:
        """Which entries of the histories (entries,) were bought, and not only looked at."""
        return self.histories.are_bought(are_of_looks(self.history))

    @cached_property
    def _counts(self) -> NDArray[np.int64]:
        """How many products each history (histories,) bought."""
        return np.bincount(self.histories.rows[self._bought], minlength=self._count)

    @cached_property
    def affinities(self) -> dict[str, Floats]:
        """By name from `AFFINITIES` (rows, products) float64, in units of the root of the weights
        summed.
        """
        return {
            name: self._summed(*AFFINITIES[name]) for name in self.features if name in AFFINITIES
        }

    @cached_property
    def basket_affinity(self) -> Floats:
        """How well each product goes with what is in the baskets (rows, products) float64."""
        baskets = self.histories.baskets
        return self._added("fitting", baskets.rows, baskets.products, np.ones(len(baskets.rows)))

    def columns(self, rows: Rows, items: Rows) -> Floats:
        """The features of candidates (candidates, features): products `items` of the histories'
        `rows`.
        """
        names = self.features
        made = np.empty((len(rows), len(names)))
        for position, name in enumerate(names):
            made[:, position] = self._column(name, rows, items)
        return made

    def _column(self, name: str, rows: Rows, items: Rows) -> Floats:
        if name in AFFINITIES:
            known, found = self._sizes[AFFINITIES[name][1]] > 0, self.affinities[name][rows, items]
            return found if known.all() else np.where(known[rows], found, np.nan)
        if name in PLACES:
            return self._place(PLACES[name], rows, items)
        made: Floats = getattr(self, f"_{COMPUTED[name]}")(rows, items)
        return made

    @cached_property
    def _weights(self) -> dict[float, Floats]:
        """By decay, what each entry of the histories weighs; nothing where it has to be known how
        long ago and is not.
        """
        ago = self._of_history(ORDERS_SINCE_LAST_BOUGHT.name)
        faded = {decay: np.nan_to_num(decay**ago) for decay in (RECENT, LAST)}
        return {EVERYTHING: self._bought.astype(np.float64), **faded}

    @cached_property
    def _sizes(self) -> dict[float, Floats]:
        """By decay, the sum of these weights of each history (histories,)."""
        rows, most = self.histories.rows, self._count
        summed = {
            decay: np.bincount(rows, weights=weights, minlength=most)
            for decay, weights in self._weights.items()
        }
        return {decay: sizes.astype(np.float64) for decay, sizes in summed.items()}

    @cached_property
    def _roots(self) -> dict[float, Floats]:
        """By decay, the root of these sums (histories, 1), 1 where there is nothing."""
        return {
            decay: np.sqrt(np.where(sizes > 0, sizes, 1.0))[:, None]
            for decay, sizes in self._sizes.items()
        }

    def _summed(self, matrix: str, decay: float) -> Floats:
        """Adds up by hand what a sparse product would: for one customer that takes a hundredth of
        the time.
        """
        sums = self._added(
            matrix, self.histories.rows, self.histories.products, self._weights[decay]
        )
        sums /= self._roots[decay]
        return sums

    def _added(self, matrix: str, rows: Rows, products: Rows, weights: Floats) -> Floats:
        """What goes with each of `products` (entries,) times its weight, added up by row:
        (histories, products).
        """
        pairs: sp.csr_matrix = getattr(self.statistics, matrix)
        sums = np.zeros((self._count, pairs.shape[0]))
        _add_pairs(pairs.indptr, pairs.indices, pairs.data, rows, products, weights, sums)
        return sums

    def _sum_of_the_basket(self, rows: Rows, items: Rows) -> Floats:
        baskets = self.histories.baskets
        if not len(baskets.rows):
            return np.full(len(rows), np.nan)
        filled = np.bincount(baskets.rows, minlength=self._count) > 0
        return np.where(filled[rows], self.basket_affinity[rows, items], np.nan)

    def _place(self, affinity: str, rows: Rows, items: Rows) -> Floats:
        """How many of all products go better with the row's history than this one."""
        values = self.affinities[affinity]
        bounds = np.searchsorted(rows, np.arange(len(values) + 1))
        place = np.full(len(rows), np.nan)
        for row in np.flatnonzero(self._counts):
            mine = slice(bounds[row], bounds[row + 1])
            place[mine] = _larger(values[row], values[row, items[mine]])
        return place

    def _place_among_bought(self, rows: Rows, items: Rows) -> Floats:
        """Place among the products bought, most often and lately bought first; then come all others
        by what fits.
        """
        own, often = self.histories.rows, self._of_history(RECENT_FREQUENCY.name)
        order = np.lexsort((self.histories.products, -often, own))
        place = np.empty(len(order))
        place[order] = np.arange(len(order)) - self.histories.starts[:-1][own]
        bought = np.bincount(own[~np.isnan(often)], minlength=self._count).astype(np.float64)
        found = self._at(
            np.where(np.isnan(often), np.nan, place),
            rows,
            items,
            absent=np.where(bought > 0, -1.0, np.nan),
        )
        return np.where(found < 0, bought[rows] + self._place(FITS_YOURS.name, rows, items), found)

    def _share_of_orders(self, rows: Rows, items: Rows) -> Floats:
        absent = np.where(np.isnan(self._of_customer(ORDERS.name)), np.nan, 0.0)
        return (
            self._at(self._of_history(TIMES_BOUGHT.name), rows, items, absent)
            / self._of_customer(ORDERS.name)[rows]
        )

    def _left_in_the_basket(self, rows: Rows, items: Rows) -> Floats:
        """1 where a product was put into the basket and not bought since, 0 where it was."""
        put_in = self._of_history(DAYS_SINCE_IN_BASKET.name)
        own, asked = self.own, rows * len(self.statistics.product_ids) + items
        since = np.full(len(rows), np.nan)
        if len(own):
            at = np.searchsorted(own, asked).clip(max=len(own) - 1)
            since = np.where(own[at] == asked, put_in[at], np.nan)
        none = np.where(np.isnan(self._of_customer(ORDERS.name)), np.nan, 0.0)
        often = self._at(self._of_history(TIMES_BOUGHT.name), rows, items, none)
        nothing = np.full(self._count, np.nan)
        last = self._at(self._of_history(DAYS_SINCE_LAST_BOUGHT.name), rows, items, nothing)
        left = np.where(often == 0, 1.0, (since < last).astype(np.float64))
        unknown = np.isnan(since) | np.isnan(often) | (np.isnan(last) & (often > 0))
        return np.where(unknown, np.nan, left)

    def _popularity_at_home(self, rows: Rows, items: Rows) -> Floats:
        home = self._of_customer(HOME_COUNTRY.name)[rows]
        return np.select(
            [home == 1, home == 0],
            [self.statistics.at_home[items], self.statistics.abroad[items]],
            np.nan,
        )

    def _log_price_ratio(self, rows: Rows, items: Rows) -> Floats:
        return np.log(self.statistics.prices[items] / self._of_customer(USUAL_PRICE.name)[rows])

    def _at(self, values: Floats, rows: Rows, items: Rows, absent: Floats) -> Floats:
        """`values` of what was bought by candidate; `absent` (histories,) for what is not in a
        history that is known.
        """
        own, asked = self.own[self._bought], rows * len(self.statistics.product_ids) + items
        found = np.where(self._counts > 0, absent, np.nan)[rows]
        if len(own):
            at = np.searchsorted(own, asked).clip(max=len(own) - 1)
            bought = own[at] == asked
            found[bought] = values[self._bought][at[bought]]
        return found

    def _of_history(self, name: str) -> Floats:
        if name not in self.history:
            return np.full(len(self.histories.products), np.nan)
        return self.histories.columns[:, self.history.index(name)]

    def _of_customer(self, name: str) -> Floats:
        return self.histories.customers[:, self.customer.index(name)]


def _larger(values: Floats, asked: Floats) -> Rows:
    """How many of `values`, most of which are 0, are larger than each that is `asked` for."""
    ascending = np.sort(values[values != 0])
    larger = len(ascending) - np.searchsorted(ascending, asked, side="right")
    return larger + np.where(asked < 0, len(values) - len(ascending), 0)


@compiled
def _add_pairs(
    begins: NDArray[np.int32],
    others: NDArray[np.int32],
    data: NDArray[np.float32],
    rows: Rows,
    bought: Rows,
    weights: Floats,
    sums: Floats,
) -> None:
    """Add to `sums` (histories, products) what goes with each product `bought` in a history, times
    its weight.

    `begins`, `others` and `data` are the matrix by rows; `rows`, `bought` and `weights` are
    (entries,).
    """
    for entry in range(len(bought)):
        weight, of_row = weights[entry], sums[rows[entry]]
        if weight > 0:
            for at in range(begins[bought[entry]], begins[bought[entry] + 1]):
                of_row[others[at]] += data[at] * weight
