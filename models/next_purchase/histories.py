"""What customers had bought before a moment, as arrays: the input of the next-purchase model in
training and serving.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.arrays import Bools, Floats
from models.masking import Masking


@dataclass(frozen=True)
class Baskets:
    """What is in customers' baskets, not ordered yet: entry by entry the row, ascending, and the
    product's position (int64 both).
    """

    rows: NDArray[np.int64]
    products: NDArray[np.int64]

    @classmethod
    def of_one(cls, products: NDArray[np.intp]) -> Baskets:
        """The basket of the only row."""
        return cls(np.zeros(len(products), dtype=np.int64), products.astype(np.int64))

    def at(self, kept: Bools, first: int = 0) -> Baskets:
        """Those entries that are `kept` (entries,); row `first` becomes row 0."""
        return Baskets(self.rows[kept] - first, self.products[kept])


NO_BASKETS = Baskets(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64))


@dataclass(frozen=True)
class Histories:
    """Histories of several customers (rows).

    `starts` (rows + 1) int64 bounds each row's stretch of `products` (positions in the product
    statistics, int64, ascending within a row) and of `columns` (entries, history features) float64;
    `customers` is (rows, customer features) float64. `baskets` are those that are being filled,
    where there are any.
    """

    starts: NDArray[np.int64]
    products: NDArray[np.int64]
    columns: Floats
    customers: Floats
    baskets: Baskets = NO_BASKETS

    def __len__(self) -> int:
        return len(self.starts) - 1

    @cached_property
    def rows(self) -> NDArray[np.int64]:
        """Row of each entry."""
        return np.repeat(np.arange(len(self)), np.diff(self.starts))

    def bought(self, looks: Bools) -> Histories:
        """The same without products that were only looked at; `looks` (history features,) tells
        which columns are of looks.
        """
        return self.at(self.are_bought(looks), self.columns) if looks.any() else self

    def are_bought(self, looks: Bools) -> Bools:
        """Which entries (entries,) are of products that were bought, and not only looked at."""
        if not looks.any():
            return np.ones(len(self.products), dtype=bool)
        return np.asarray(~np.isnan(self.columns[:, ~looks]).all(axis=1))

    def at(self, kept: Bools, columns: Floats) -> Histories:
        """The entries that are `kept` (entries,), with `columns` (entries, history features)."""
        counts = np.bincount(self.rows[kept], minlength=len(self))
        return replace(
            self,
            starts=np.concatenate([[0], np.cumsum(counts)]),
            products=self.products[kept],
            columns=columns[kept],
        )

    def batches(self, size: int) -> Iterator[tuple[int, Histories]]:
        """The rows in stretches of `size`, each with the number of its first row."""
        for first in range(0, len(self), size):
            yield first, self.slice(first, first + size)

    def slice(self, first: int, last: int) -> Histories:
        """Rows `first` up to but not including `last`."""
        starts = self.starts[first : last + 1]
        held = slice(starts[0], starts[-1])
        baskets = self.baskets.at((self.baskets.rows >= first) & (self.baskets.rows < last), first)
        return Histories(
            starts - starts[0],
            self.products[held],
            self.columns[held],
            self.customers[first:last],
            baskets,
        )


@dataclass(frozen=True)
class HistoryMasking:
    """Which categories the history entries (and those of a basket) and columns, and the customer
    columns, need.
    """

    entries: frozenset[str]
    columns: Masking
    customers: Masking
    looks: Bools = field(default_factory=lambda: np.zeros(0, dtype=bool))
    """Which columns (history features,) are of looks, on which an entry without purchases stands;
    none of them where it is empty.
    """

    @property
    def categories(self) -> tuple[str, ...]:
        """All categories, in one order for both parts."""
        return self.customers.categories

    def withhold(self, histories: Histories, withheld: Bools) -> Histories:
        """`histories` as they are when `withheld` (rows, categories) is: entries gone of which
        nothing may be known, columns `NaN`.
        """
        needed = np.array([category in self.entries for category in self.categories])
        rows = histories.rows
        open_to_use = ~(withheld & needed).any(axis=1)
        kept = open_to_use[rows]
        columns = self.columns.withhold(histories.columns, withheld[rows])
        if self.looks.any():
            columns = np.where(self.looks | kept[:, None], columns, np.nan)
            kept = ~np.isnan(columns).all(axis=1)
        return replace(
            histories.at(kept, columns),
            customers=self.customers.withhold(histories.customers, withheld),
            baskets=histories.baskets.at(open_to_use[histories.baskets.rows]),
        )

    def allow(self, histories: Histories, granted: Collection[str]) -> Histories:
        """`histories` as an answer may use them when only `granted` categories are."""
        withheld = np.array([[category not in granted for category in self.categories]])
        return self.withhold(histories, np.repeat(withheld, len(histories), axis=0))


def histories_of(
    spine: pd.DataFrame,
    customers: Floats,
    history: pd.DataFrame,
    positions: NDArray[np.intp],
    columns: Sequence[str],
) -> Histories:
    """Histories of the rows of `spine` (customer, as_of).

    `history` is a history frame of the same spine and `positions` are its products' positions in
    the statistics; products without statistics (-1) are left out.
    """
    row_of = pd.Series(
        np.arange(len(spine)), index=pd.MultiIndex.from_frame(spine[["customer", "as_of"]])
    )
    rows = row_of.reindex(pd.MultiIndex.from_frame(history[["customer", "as_of"]])).to_numpy()
    known = positions >= 0
    order = np.lexsort((positions[known], rows[known]))
    counts = np.bincount(rows[known].astype(np.int64), minlength=len(spine))
    return Histories(
        starts=np.concatenate([[0], np.cumsum(counts)]),
        products=positions[known][order].astype(np.int64),
        columns=history[list(columns)].to_numpy("float64")[known][order],
        customers=customers,
    )


def together(parts: Sequence[Histories]) -> Histories:
    """Several histories, one after the other."""
    counts = np.concatenate([np.diff(part.starts) for part in parts])
    firsts = np.cumsum([0, *map(len, parts[:-1])])
    return Histories(
        starts=np.concatenate([[0], np.cumsum(counts)]),
        products=np.concatenate([part.products for part in parts]),
        columns=np.vstack([part.columns for part in parts]),
        customers=np.vstack([part.customers for part in parts]),
        baskets=Baskets(
            np.concatenate(
                [part.baskets.rows + first for part, first in zip(parts, firsts, strict=True)]
            ),
            np.concatenate([part.baskets.products for part in parts]),
        ),
    )
