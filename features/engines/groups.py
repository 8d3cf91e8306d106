"""Groups of rows: what is made of each as a whole, and what each row is within its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from features.engines.columns import Bools, Column, NotOnArrays, Positions, Values
from features.engines.functions import LARGEST, numbers

Integers = NDArray[np.int64]
Kept = Bools | None
"""Which rows count; None for all."""


@dataclass(frozen=True)
class Groups:
    """The group of each row, from 0 on, and how many groups there are."""

    of: Integers
    count: int

    @classmethod
    def by(cls, columns: Sequence[Column], rows: int) -> Groups:
        """Rows that are alike in all `columns`; what is missing is alike too. Without columns all
        rows are one group, and it is there without rows.
        """
        groups = cls(np.zeros(rows, np.int64), 1 if rows or not columns else 0)
        for column in columns:
            if column.values.ndim:
                groups = groups._split(column)
        return groups

    def _split(self, column: Column) -> Groups:
        values = column.values
        alone = not len(values) or (column.missing is None and bool((values == values[0]).all()))
        if alone:
            return self
        _, codes = np.unique(values, return_inverse=True)
        if column.missing is not None:
            codes = np.where(column.missing, codes.max() + 1, codes)
        if self.count > 1:
            codes = self.of * (codes.max() + 1) + codes
        found, of = np.unique(codes, return_inverse=True)
        return Groups(of.astype(np.int64), len(found))

    @cached_property
    def firsts(self) -> Positions:
        """The first row of each group."""
        firsts = np.zeros(self.count, np.intp)
        firsts[self.of[::-1]] = np.arange(len(self.of))[::-1]
        return firsts

    def where(self, kept: Kept) -> Groups:
        """The same groups of fewer rows."""
        return self if kept is None else Groups(self.of[kept], self.count)

    @cached_property
    def sizes(self) -> Integers:
        """How many rows each group has."""
        if self.count == 1:
            return np.array([len(self.of)])
        return np.bincount(self.of, minlength=self.count).astype(np.int64)

    def counted(self, kept: Kept) -> Column:
        """How many rows of each group are `kept`."""
        return Column(self.where(kept).sizes)

    def distinct(self, column: Column, kept: Kept) -> Column:
        """How many different values each group has among the rows that are `kept`."""
        part, values = self.where(kept), _of(column, kept)
        if self.count == 1:
            return Column(np.array([len(np.unique(values))]))
        finer = Groups.by([Column(part.of), Column(values)], len(values))
        found = np.bincount(part.of[finer.firsts], minlength=self.count)
        return Column(found.astype(np.int64))

    def total(self, column: Column, kept: Kept) -> Column:
        """The sum of each group, of whole numbers alone: that of others depends on their order."""
        values = _of(Column(numbers(column)), kept)
        if values.dtype == np.float64:
            raise NotOnArrays("a sum of fractions")
        if np.abs(values).sum(dtype=np.float64) > LARGEST:
            raise NotOnArrays("a sum that is too large")
        part = self.where(kept)
        if self.count == 1:
            return Column(values.sum(keepdims=True), _none(part.sizes))
        sums = np.zeros(self.count, np.int64)
        np.add.at(sums, part.of, values)
        return Column(sums, _none(part.sizes))

    def mean(self, column: Column, kept: Kept) -> Column:
        """The mean of each group, of whole numbers alone."""
        sums, sizes = self.total(column, kept), self.where(kept).sizes
        return Column(sums.values / np.maximum(sizes, 1).astype(np.float64), sums.missing)

    def extreme(self, column: Column, kept: Kept, *, largest: bool) -> Column:
        """The largest or smallest value of each group."""
        values, part = _of(column, kept), self.where(kept)
        if values.dtype == np.float64 and np.isnan(values).any():
            raise NotOnArrays("the largest of what is no number")
        pick: np.ufunc = np.maximum if largest else np.minimum
        if self.count == 1 and len(values):
            return Column(np.array([pick.reduce(values)]), None, column.words)
        found = np.zeros(self.count, values.dtype)
        if len(values):
            order = np.argsort(part.of, kind="stable")
            begins = np.flatnonzero(np.diff(part.of[order], prepend=-1))
            found[part.of[order][begins]] = pick.reduceat(values[order], begins)
        return Column(found, _none(part.sizes), column.words)

    def ordered(self, keys: Sequence[tuple[Column, bool, bool]]) -> tuple[Positions, Bools]:
        """The rows group by group, within each in the order of `keys` (column, whether ascending,
        whether missing ones come first), and which of them differ from the one before.
        """
        columns: list[Values] = []
        for column, ascending, nulls_first in keys:
            _, codes = np.unique(column.values, return_inverse=True)
            place = codes if ascending else -codes
            if column.missing is not None:
                place = np.where(
                    column.missing, -len(codes) - 1 if nulls_first else len(codes) + 1, place
                )
            columns.append(place)
        order = np.lexsort([*reversed(columns), self.of])
        changed = np.zeros(len(order), np.bool_)
        for values in (self.of, *columns):
            changed |= np.diff(values[order], prepend=values[order][:1] - 1) != 0
        return order, changed


def row_number(groups: Groups, order: Positions, _changed: Bools) -> Column:
    """The place of each row within its group, from 0 on."""
    return _in_place(order, _within(groups, order))


def rank(groups: Groups, order: Positions, changed: Bools) -> Column:
    """How many rows of its group come before each row."""
    places = _within(groups, order)
    return _in_place(
        order, places[np.maximum.accumulate(np.where(changed, np.arange(len(order)), 0))]
    )


def dense_rank(groups: Groups, order: Positions, changed: Bools) -> Column:
    """How many different ones of its group come before each row."""
    steps = np.cumsum(changed)
    begins = np.flatnonzero(np.diff(groups.of[order], prepend=-1))
    lengths = np.diff(np.append(begins, len(order)))
    return _in_place(order, steps - np.repeat(steps[begins], lengths))


Ranking = Callable[[Groups, Positions, Bools], Column]


def _within(groups: Groups, order: Positions) -> Integers:
    begins = np.flatnonzero(np.diff(groups.of[order], prepend=-1))
    lengths = np.diff(np.append(begins, len(order)))
    return np.arange(len(order), dtype=np.int64) - np.repeat(begins, lengths)


def _in_place(order: Positions, values: Integers) -> Column:
    placed = np.empty(len(order), np.int64)
    placed[order] = values
    return Column(placed)


def _of(column: Column, kept: Kept) -> Values:
    return column.values if kept is None else column.values[kept]


def _none(sizes: Integers) -> Bools | None:
    empty = sizes == 0
    return empty if empty.any() else None
