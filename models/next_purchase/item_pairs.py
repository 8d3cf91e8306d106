"""Which products go together: four sparse matrices of products by products, each made of counts of
customers.

No pair with fewer than `FEWEST` customers behind it counts, so that nothing here tells of one
customer. Each row keeps its largest entries only.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from models.arrays import Bools, Floats
from models.trees.jit import compiled

Rows = NDArray[np.int64]
FEWEST = 5
NEIGHBOURS = 60
FITTING = 100
FOLLOWING = 150
NEXT = 150
RIDGE = 200.0
EASE_PRODUCTS = 2_000
"""Products that take part in the regression: those with most buyers.

The time grows with their cube: about a second.
"""
ROWS_AT_ONCE = 500
"""Products whose pairs with all others are held at a time: in a large shop most of them are of few
customers.
"""
DOUBT = 10.0
"""Buyers added to those of a product before shares of them are taken, so that few buyers make no
large share.
"""


def similarity(bought: sp.csr_matrix) -> sp.csr_matrix:
    """Cosine similarity of products by who bought them, from a 0/1 matrix (customers, products).

    A pair needs `FEWEST` customers who bought both; each product keeps its `NEIGHBOURS` nearest.
    """
    norms = np.sqrt(np.asarray(bought.sum(axis=0)).ravel()).clip(min=1)
    bought_by, nearest = bought.T.tocsr(), []
    for first in range(0, max(len(norms), 1), ROWS_AT_ONCE):
        mine = slice(first, first + ROWS_AT_ONCE)
        together = without_few(bought_by[mine] @ bought)
        together.setdiag(0, k=first)
        together.eliminate_zeros()
        rows = np.repeat(1 / norms[mine], np.diff(together.indptr))
        together.data = rows * together.data * (1 / norms)[together.indices]
        nearest.append(largest(together, NEIGHBOURS))
    pairs: sp.csr_matrix = sp.vstack(nearest, format="csr")
    return pairs


def fitting(bought: sp.csr_matrix) -> sp.csr_matrix:
    """How much what a customer bought speaks for another product that they bought too, from a 0/1
    matrix (customers, products).

    The ridge regression of EASE (Steck, WWW 2019). A pair needs `FEWEST` customers who bought both,
    and only what speaks for a product is kept; each gives weight to the `FITTING` that it speaks
    for most.
    """
    buyers = np.asarray(bought.sum(axis=0)).ravel()
    popular = np.sort(np.lexsort((np.arange(len(buyers)), -buyers))[:EASE_PRODUCTS])
    together = (bought[:, popular].T @ bought[:, popular]).toarray()
    inverse = np.linalg.inv(together + RIDGE * np.eye(len(together)))
    weights = np.where(together >= FEWEST, -inverse / np.diag(inverse), 0.0)
    np.fill_diagonal(weights, 0.0)
    kept = largest(sp.csr_matrix(weights.clip(min=0)), FITTING).tocoo()
    return sp.csr_matrix(
        (kept.data, (popular[kept.row], popular[kept.col])), shape=(len(buyers), len(buyers))
    )


def following(before: sp.csr_matrix, last: sp.csr_matrix) -> sp.csr_matrix:
    """Share of the customers who had bought a product (row) that have another (column) in their
    last order.

    `before` and `last` are 0/1 matrices (customers, products): what was bought before the last
    order, and in it. On the diagonal it says how often a product is bought again.
    """
    had = np.asarray(before.sum(axis=0)).ravel()
    return largest(_rows_over(without_few(before.T @ last), had), FOLLOWING)


def ordered_next(customers: Rows, orders: Rows, products: Rows, count: int) -> sp.csr_matrix:
    """Share of the customers who ordered a product (row), and ordered again, with another (column)
    in the very next order.

    Takes one entry for each product of an order, by customer and time: its customer, its order
    (numbered in that sequence), its product (int64); `count` is the number of products. Unlike
    `following` it knows what goes at the same time of the year.
    """
    starts = np.flatnonzero(np.diff(orders, prepend=-1, append=-1))
    again = np.append(np.diff(customers[starts[:-1]]) == 0, False)
    lines = np.flatnonzero(again[orders])
    lines = lines[np.argsort(products[lines], kind="stable")]
    begins = np.searchsorted(products[lines], np.arange(count + 1))
    had, ends, others, numbers = _count_followers(
        begins, customers[lines], orders[lines] + 1, starts, products
    )
    followed = sp.csr_matrix((numbers, others, ends), shape=(count, count))
    return largest(_rows_over(followed, had), NEXT)


def _rows_over(counts: sp.csr_matrix, had: NDArray[np.int64] | Floats) -> sp.csr_matrix:
    """Each row's counts as shares of the customers who `had` (products,) its product."""
    counts.data = np.repeat(1 / (had + DOUBT), np.diff(counts.indptr)) * counts.data
    return counts


@compiled
def _count_followers(
    begins: Rows, customers: Rows, nexts: Rows, starts: Rows, products: Rows
) -> tuple[Rows, Rows, Rows, Floats]:
    """For each product: how many customers ordered it, and a sparse row (indptr, indices, data) of
    how many ordered others next.

    Entries `begins[p]` to `begins[p + 1]` are the orders with product p, by customer, each as its
    customer and the number of the next order; order o holds the `products` from `starts[o]` to
    `starts[o + 1]`. Pairs of fewer than `FEWEST` are left out.
    """
    count = len(begins) - 1
    had, ends = np.zeros(count, np.int64), np.zeros(count + 1, np.int64)
    others, numbers = np.empty(count, np.int64), np.empty(count, np.float64)
    times, met, counted = (
        np.zeros(count, np.int64),
        np.empty(count, np.int64),
        np.zeros(count, np.int64),
    )
    customer, end = 0, 0
    for product in range(count):
        meetings = 0
        for entry in range(begins[product], begins[product + 1]):
            if entry == begins[product] or customers[entry] != customers[entry - 1]:
                had[product] += 1
                customer += 1
            for at in range(starts[nexts[entry]], starts[nexts[entry] + 1]):
                other = products[at]
                if counted[other] < customer:
                    if times[other] == 0:
                        met[meetings] = other
                        meetings += 1
                    counted[other] = customer
                    times[other] += 1
        for other in met[:meetings]:
            if times[other] >= FEWEST:
                if end == len(others):
                    others, numbers = (
                        np.append(others, np.empty_like(others)),
                        np.append(numbers, np.empty_like(numbers)),
                    )
                others[end], numbers[end] = other, times[other]
                end += 1
            times[other] = 0
        ends[product + 1] = end
    return had, ends, others[:end], numbers[:end]


def distinct(keys: Rows) -> Rows:
    """Each of `keys` (none negative) once, ascending.

    Sorting is several times as quick here as the hash table of `np.unique`.
    """
    ordered = np.sort(keys)
    return ordered[np.flatnonzero(np.diff(ordered, prepend=-1))]


def without_few(counts: sp.csr_matrix | sp.csc_matrix) -> sp.csr_matrix:
    """Counts of customers, with those below `FEWEST` taken out."""
    kept: sp.csr_matrix = counts.tocsr()
    kept.data[kept.data < FEWEST] = 0
    kept.eliminate_zeros()
    return kept


def largest(matrix: sp.csr_matrix, most: int) -> sp.csr_matrix:
    """Only the `most` largest entries of each row; equal ones in the order of their columns."""
    matrix.sort_indices()
    kept = np.ones(matrix.nnz, dtype=bool)
    _leave_out_smaller(matrix.indptr.astype(np.int64), matrix.data.astype(np.float64), most, kept)
    ends = np.append(0, np.cumsum(kept))[matrix.indptr]
    return sp.csr_matrix((matrix.data[kept], matrix.indices[kept], ends), shape=matrix.shape)


@compiled
def _leave_out_smaller(begins: Rows, values: Floats, most: int, kept: Bools) -> None:
    """Take out of `kept` (entries,) all but the `most` largest `values` of each row, row r from
    `begins[r]` to `begins[r + 1]`.
    """
    for row in range(len(begins) - 1):
        entries = values[begins[row] : begins[row + 1]]
        if len(entries) > most:
            least = np.partition(entries, len(entries) - most)[len(entries) - most]
            equal = most - np.count_nonzero(entries > least)
            for at in range(len(entries)):
                if entries[at] == least and equal > 0:
                    equal -= 1
                elif entries[at] <= least:
                    kept[begins[row] + at] = False
