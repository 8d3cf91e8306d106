"""Functions of columns, row by row, as DuckDB computes them: to the last bit, missing values
included.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import reduce

import numpy as np

from features.engines.columns import Bools, Column, NotOnArrays, Values

SECOND, DAY = 1_000_000, 86_400_000_000
"""Microseconds."""
LARGEST = 2.0**62
"""Whole numbers beyond are left to DuckDB, which says where one is too large."""

Function = Callable[..., Column]


def missing_in(*columns: Column) -> Bools | None:
    """Where a value is missing in any of them."""
    gone = [column.missing for column in columns if column.missing is not None]
    if not gone:
        return None
    shape = np.broadcast_shapes(*(column.values.shape for column in columns))
    return np.broadcast_to(reduce(np.logical_or, gone), shape)


def of_floats(compute: Callable[[float], float]) -> Function:
    """A function of float64, computed by the C library value by value, as DuckDB does."""

    def computed(column: Column) -> Column:
        values = column.values.astype(np.float64)
        there = values if column.missing is None else values[~column.missing]
        try:
            made = np.array([compute(value) for value in there.ravel().tolist()])
        except (ValueError, OverflowError) as error:
            raise NotOnArrays(f"a value without a result: {error}") from None
        if column.missing is None:
            return Column(made.reshape(values.shape))
        filled = np.zeros(values.shape)
        filled[~column.missing] = made
        return Column(filled, column.missing)

    return computed


def power(left: Column, right: Column) -> Column:
    """`left` to the power of `right`, float64."""
    missing = missing_in(left, right)
    one, other = np.broadcast_arrays(left.values.astype(np.float64), right.values)
    try:
        made = [
            math.pow(a, b)
            for a, b in zip(one.ravel().tolist(), other.ravel().tolist(), strict=True)
        ]
    except (ValueError, OverflowError) as error:
        raise NotOnArrays(f"a power without a result: {error}") from None
    return Column(np.array(made).reshape(one.shape), missing)


def arithmetic(compute: Callable[[Values, Values], Values]) -> Function:
    """A sum, a difference or a product, of whole numbers or of float64."""

    def computed(left: Column, right: Column) -> Column:
        one, other = numbers(left), numbers(right)
        if one.dtype.kind == other.dtype.kind == "i":
            rough = compute(one.astype(np.float64), other.astype(np.float64))
            if rough.size and np.abs(rough).max() > LARGEST:
                raise NotOnArrays("a whole number that is too large")
        return Column(compute(one, other), missing_in(left, right))

    return computed


def divide(left: Column, right: Column) -> Column:
    """A quotient, float64; through nothing it is infinite, or no number."""
    one, other = numbers(left).astype(np.float64), numbers(right).astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        return Column(one / other, missing_in(left, right))


def negate(column: Column) -> Column:
    """The negative of a number."""
    return Column(-numbers(column), column.missing)


def absolute(column: Column) -> Column:
    """A number without its sign."""
    return Column(np.abs(numbers(column)), column.missing)


def whole(column: Column) -> Column:
    """Rounded to a whole number, half away from zero, in the type of the column."""
    if column.values.dtype != np.float64:
        return Column(numbers(column), column.missing)
    cut = np.trunc(column.values)
    with np.errstate(invalid="ignore"):
        up = np.abs(column.values - cut) >= 0.5
    return Column(cut + np.where(up, np.copysign(1.0, column.values), 0.0), column.missing)


def to_int(column: Column) -> Column:
    """Whole numbers, int64; of two equally near ones the even one."""
    if column.values.dtype != np.float64:
        return Column(numbers(column), column.missing)
    values = column.values if column.missing is None else np.where(column.missing, 0, column.values)
    if not (np.abs(values) < LARGEST).all():
        raise NotOnArrays("a number that is too large for a whole one")
    return Column(np.rint(values).astype(np.int64), column.missing)


def to_float(column: Column) -> Column:
    """Numbers as float64."""
    return Column(numbers(column).astype(np.float64), column.missing)


def to_date(column: Column) -> Column:
    """The days of moments."""
    return Column(column.values // DAY, column.missing)


def epoch_seconds(column: Column) -> Column:
    """Seconds since 1970 of moments, float64."""
    return Column(column.values / np.float64(SECOND), column.missing)


def compared(compare: Callable[[Values, Values], Values]) -> Function:
    """A comparison of numbers, moments or texts."""

    def computed(left: Column, right: Column) -> Column:
        one, other = alike(left, right)
        return Column(compare(one, other), missing_in(left, right))

    return computed


def between(column: Column, lower: Column, upper: Column) -> Column:
    """Whether a value lies between two others, which count as well."""
    above = compared(np.greater_equal)(column, lower)
    return both(above, compared(np.less_equal)(column, upper))


def is_in(column: Column, *options: Column) -> Column:
    """Whether a value is one of `options`."""
    return reduce(either, [compared(np.equal)(column, option) for option in options])


def both(left: Column, right: Column) -> Column:
    """Whether both are true; a false one decides though the other is missing."""
    yes = _known(left, truth=True) & _known(right, truth=True)
    no = _known(left, truth=False) | _known(right, truth=False)
    return Column(yes, _unless(yes | no))


def either(left: Column, right: Column) -> Column:
    """Whether one is true; a true one decides though the other is missing."""
    yes = _known(left, truth=True) | _known(right, truth=True)
    no = _known(left, truth=False) & _known(right, truth=False)
    return Column(yes, _unless(yes | no))


def opposite(column: Column) -> Column:
    """Whether it is false."""
    return Column(~column.values.astype(np.bool_), column.missing)


def is_missing(column: Column) -> Column:
    """Whether there is no value."""
    return Column(~column.there)


def is_there(column: Column) -> Column:
    """Whether there is a value."""
    return Column(column.there)


def null_if(column: Column, value: Column) -> Column:
    """The column, missing where it is `value`."""
    same = compared(np.equal)(column, value)
    gone = _known(same, truth=True)
    missing = gone if column.missing is None else gone | column.missing
    return Column(np.broadcast_to(column.values, missing.shape), missing, column.words)


def if_else(condition: Column, then: Column, otherwise: Column) -> Column:
    """`then` where the condition is true, else `otherwise`."""
    if then.words is not None or otherwise.words is not None:
        raise NotOnArrays("a choice between texts")
    yes = _known(condition, truth=True)
    missing: Bools | None = None
    if then.missing is not None or otherwise.missing is not None:
        missing = np.where(yes, ~then.there, ~otherwise.there)
    return Column(np.where(yes, numbers(then), numbers(otherwise)), missing)


def first_there(*columns: Column) -> Column:
    """The first of the columns that has a value."""
    return reduce(lambda one, other: if_else(is_there(one), one, other), columns)


def cases(conditions: Sequence[Column], results: Sequence[Column], default: Column) -> Column:
    """The result of the first condition that is true."""
    found = default
    for condition, result in reversed(list(zip(conditions, results, strict=True))):
        found = if_else(condition, result, found)
    return found


def numbers(column: Column) -> Values:
    """The values, to count with; a truth counts 1."""
    if column.words is not None:
        raise NotOnArrays("counting with texts")
    return column.values.astype(np.int64) if column.values.dtype == np.bool_ else column.values


def alike(left: Column, right: Column) -> tuple[Values, Values]:
    """The values of two columns, to be compared with one another."""
    if (left.words is None) != (right.words is None):
        raise NotOnArrays("a comparison of a text with a number")
    if left.words is None or right.words is None:
        return _ordered(numbers(left)), _ordered(numbers(right))
    words = np.array(sorted({*left.words.tolist(), *right.words.tolist()}), dtype=object)
    place = {word: at for at, word in enumerate(words.tolist())}
    return _placed(left, place), _placed(right, place)


def _placed(column: Column, place: dict[str, int]) -> Values:
    if column.words is None or not len(column.words):
        return np.zeros(column.values.shape, np.int64)
    own = np.array([place[word] for word in column.words.tolist()], dtype=np.int64)
    return np.asarray(own[column.values])


def _ordered(values: Values) -> Values:
    """Values without any that has no place in an order."""
    if values.dtype == np.float64 and np.isnan(values).any():
        raise NotOnArrays("a comparison with what is no number")
    return values


def _known(column: Column, *, truth: bool) -> Bools:
    values = column.values.astype(np.bool_)
    said = values if truth else ~values
    return said if column.missing is None else said & ~column.missing


def _unless(known: Bools) -> Bools | None:
    return None if known.all() else ~known
