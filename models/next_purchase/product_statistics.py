"""What is known of each product from the orders of consenting customers: how popular it is, and
what is bought along with it.

Nothing here tells of one customer: a product or a pair of products with fewer than `FEWEST`
customers behind it is left out.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, fields, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from models.arrays import Floats
from models.next_purchase.item_pairs import (
    FEWEST,
    Rows,
    distinct,
    fitting,
    following,
    ordered_next,
    similarity,
)
from models.next_purchase.product_declarations import PRODUCT

RECENT_DAYS = (30, 90)
PARTS = {"data": np.float32, "indices": np.int32, "indptr": np.int32}
"""Arrays that a sparse matrix is kept as, and their types."""
PRODUCT_FEATURES = tuple(feature.name for feature in PRODUCT)


@dataclass(frozen=True)
class ProductStatistics:
    """Products by position.

    `facts` is (products, PRODUCT_FEATURES) float64; `sold` tells which products are still sold;
    `at_home` and `abroad` are the shares of customers in the shop's country and elsewhere who
    bought the product (`NaN` where too few did); `prices` are (products,), `NaN` where unknown.

    The matrices are (products, products) float32, as `models.next_purchase.item_pairs` makes them:
    row by row what goes with a product, each row holding its largest entries.
    """

    product_ids: NDArray[np.str_]
    facts: Floats
    sold: NDArray[np.bool_]
    at_home: Floats
    abroad: Floats
    prices: Floats
    similar: sp.csr_matrix
    """How alike products are by who bought them."""
    fitting: sp.csr_matrix
    """How much having bought the row's product speaks for another."""
    following: sp.csr_matrix
    """How often the row's product is followed by another."""
    ordered_next: sp.csr_matrix
    """How often the row's product is followed by another in the very next order."""

    @cached_property
    def best_sellers(self) -> NDArray[np.intp]:
        """Positions of the products still sold, most buyers within the last 30 days first."""
        recent, ever = self.facts[:, 1], self.facts[:, 0]
        order = np.lexsort((self.product_ids, -ever, -recent))
        return order[self.sold[order]]

    @cached_property
    def _position(self) -> dict[str, int]:
        return {product: position for position, product in enumerate(self.product_ids.tolist())}

    def positions(self, product_ids: Collection[str]) -> NDArray[np.intp]:
        """Positions of product ids; -1 for a product without statistics."""
        return np.array([self._position.get(product, -1) for product in product_ids], dtype=np.intp)

    def without_pairs(self, products: Sequence[NDArray[np.intp]]) -> ProductStatistics:
        """The statistics without every pair of products that are in one of `products` (positions)
        together, in whichever matrix.
        """
        kept: dict[str, Any] = {}
        for name in MATRICES:
            matrix: sp.csr_matrix = getattr(self, name)
            data = matrix.data.copy()
            for together in products:
                _drop(data, matrix.indices, matrix.indptr, together)
            kept[name] = _with_data(matrix, data)
        return replace(self, **kept)

    @cached_property
    def unpaired(self) -> ProductStatistics:
        """The statistics without any pair."""
        nothing: dict[str, Any] = {
            name: _with_data(matrix, np.zeros_like(matrix.data))
            for name, matrix in self._matrices.items()
        }
        return replace(self, **nothing)

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """All that is in them as arrays by name; a matrix as `NAME_data`, `NAME_indices` and
        `NAME_indptr`.
        """
        plain = {name: getattr(self, name) for name in PLAIN}
        parts = {
            f"{name}_{part}": getattr(matrix, part)
            for name, matrix in self._matrices.items()
            for part in PARTS
        }
        return {**plain, **parts}

    @property
    def _matrices(self) -> dict[str, sp.csr_matrix]:
        return {name: getattr(self, name) for name in MATRICES}

    def save(self, file: Path) -> None:
        """Write all arrays to one `.npz`, none of them pickled."""
        np.savez_compressed(file, allow_pickle=False, **self.arrays)

    @classmethod
    def load(cls, file: Path) -> ProductStatistics:
        """Read what `save` wrote."""
        with np.load(file, allow_pickle=False) as arrays:
            return cls.of(arrays)

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[Any]]) -> ProductStatistics:
        """The statistics that these are the `arrays` of."""
        plain: dict[str, Any] = {name: arrays[name] for name in PLAIN}
        matrices: dict[str, Any] = {
            name: sp.csr_matrix(
                tuple(arrays[f"{name}_{part}"] for part in PARTS),
                shape=(len(plain["product_ids"]),) * 2,
            )
            for name in MATRICES
        }
        return cls(**plain, **matrices)


MATRICES = ("similar", "fitting", "following", "ordered_next")
"""All matrices that say how two products go together."""
PLAIN = tuple(field.name for field in fields(ProductStatistics) if field.name not in MATRICES)
"""All that is no such matrix."""


def _with_data(matrix: sp.csr_matrix, data: NDArray[np.float32]) -> sp.csr_matrix:
    """The same entries with other values; the positions are shared, and not checked again."""
    changed = copy(matrix)
    changed.data = data
    return changed


def _drop(
    data: NDArray[np.float32],
    indices: NDArray[np.int32],
    indptr: NDArray[np.int32],
    products: NDArray[np.intp],
) -> None:
    """Set what the rows `products` of a sparse matrix hold for one another to 0."""
    of_them = np.zeros(len(indptr) - 1, dtype=bool)
    of_them[products] = True
    for product in products.tolist():
        row = slice(indptr[product], indptr[product + 1])
        data[row] = np.where(of_them[indices[row]], np.float32(0), data[row])


def product_statistics(
    orders: pd.DataFrame,
    as_of: datetime,
    sold_within_days: int,
    homes: pd.Series | None = None,
    prices: pd.Series | None = None,
) -> ProductStatistics:
    """Statistics of what was ordered before `as_of`.

    `orders` has customer, order_id, product_id, ordered_at (one row per product of an order);
    `homes` says by customer whether they live in the shop's country (1.0, 0.0; left out where
    withheld); `prices` is the price by product_id.
    """
    past = orders[orders["ordered_at"] < pd.Timestamp(as_of)]
    (position, products), (row, customers) = (
        pd.factorize(past[name], sort=True) for name in ("product_id", "customer")
    )
    product_ids = products.to_numpy(dtype=str)
    age = (pd.Timestamp(as_of) - past["ordered_at"]).dt.total_seconds().to_numpy() / 86_400
    bought = sp.csr_matrix(
        (np.ones(len(past)), (row, position)), shape=(len(customers), len(product_ids))
    )
    at_home, abroad = _shares_by_home(bought, customers, homes)
    pairs = _pairs(past, bought, row, position, age)
    last_sold = pd.Series(age).groupby(position).min().to_numpy()
    return ProductStatistics(
        product_ids=product_ids,
        facts=_facts(bought, row, position, age),
        sold=last_sold <= sold_within_days,
        at_home=at_home,
        abroad=abroad,
        prices=np.full(len(product_ids), np.nan)
        if prices is None
        else prices.reindex(product_ids).to_numpy("float64"),
        **{name: _kept(matrix) for name, matrix in pairs.items()},
    )


def _pairs(
    past: pd.DataFrame, bought: sp.csr_matrix, row: Rows, position: Rows, age: Floats
) -> dict[str, sp.csr_matrix]:
    """By name from `MATRICES`, which products go together, by the lines of `past`.

    A line is what a customer (`row`) bought (`position`) in an order, so many days ago (`age`).
    """
    order = pd.factorize(past["order_id"], sort=True)[0]
    sequence = np.lexsort((position, order, past["ordered_at"].to_numpy(), row))
    last, before = _last_and_before(bought, row, position, order, age, sequence)
    changes = np.diff(row[sequence], prepend=-1) | np.diff(order[sequence], prepend=-1)
    numbers = np.cumsum(changes != 0) - 1
    return {
        "similar": similarity(bought.sign()),
        "fitting": fitting(bought.sign()),
        "following": following(before, last),
        "ordered_next": ordered_next(row[sequence], numbers, position[sequence], bought.shape[1]),
    }


def _kept(matrix: sp.csr_matrix) -> sp.csr_matrix:
    """A matrix in the types that it is kept in."""
    parts = (getattr(matrix, part).astype(kind) for part, kind in PARTS.items())
    return sp.csr_matrix(tuple(parts), shape=matrix.shape)


def _last_and_before(
    bought: sp.csr_matrix, row: Rows, position: Rows, order: Rows, age: Floats, sequence: Rows
) -> tuple[sp.csr_matrix, sp.csr_matrix]:
    """What customers bought in their last order and in those before it: two 0/1 matrices
    (customers, products).

    `sequence` puts the lines (row, position, order, age) by customer and time. Only customers who
    ordered lately (the shorter of `RECENT_DAYS`) are in the matrices, since what follows changes
    with the seasons.
    """
    ends = np.cumsum(np.bincount(row, minlength=bought.shape[0])) - 1
    in_last = order == order[sequence[ends]][row]
    counted = (np.bincount(row[age <= RECENT_DAYS[0]], minlength=bought.shape[0]) > 0)[row]
    last, before = (
        sp.csr_matrix((np.ones(kept.sum()), (row[kept], position[kept])), shape=bought.shape).sign()
        for kept in (counted & in_last, counted & ~in_last)
    )
    return last, before


def _facts(
    bought: sp.csr_matrix, row: NDArray[np.intp], position: NDArray[np.intp], age: Floats
) -> Floats:
    def buyers(within: float) -> Floats:
        recent = age <= within
        pairs = distinct(row[recent] * bought.shape[1] + position[recent])
        return _enough(np.bincount(pairs % bought.shape[1], minlength=bought.shape[1]))

    ever, *recent = (buyers(days) for days in (np.inf, *RECENT_DAYS))
    repeated = _enough(np.bincount(bought.indices[bought.data > 1], minlength=bought.shape[1]))
    on_sale = pd.Series(age).groupby(position).max().to_numpy()
    trend = (recent[0] + 1) / (recent[1] / 3 + 1)
    facts = np.column_stack([ever, *recent, trend, repeated / ever.clip(min=1), on_sale])
    facts[ever == 0] = np.nan
    return facts


def _enough(customers: NDArray[np.intp]) -> Floats:
    """Numbers of customers, with those too small to tell as none."""
    return np.where(customers < FEWEST, 0.0, customers.astype(np.float64))


def _shares_by_home(
    bought: sp.csr_matrix, customers: pd.Index, homes: pd.Series | None
) -> tuple[Floats, Floats]:
    nothing = np.full(bought.shape[1], np.nan)
    if homes is None:
        return nothing, nothing
    lives = homes.reindex(customers).to_numpy("float64")
    return _share(bought[lives == 1.0]), _share(bought[lives == 0.0])


def _share(bought: sp.csr_matrix) -> Floats:
    buyers = np.asarray(bought.sign().sum(axis=0)).ravel().astype(np.float64)
    return np.where(buyers >= FEWEST, buyers / max(bought.shape[0], 1), np.nan)
