"""Which parts of an Ibis expression run on arrays, and by which function."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import ibis.expr.operations as ops
import numpy as np

from features.engines import functions as f
from features.engines import groups as g
from features.engines.columns import Column, NotOnArrays, Values, moment

Node = Any
Compiled = tuple[Callable[..., Column], Sequence[Node]]
"""A function, and the values that it is given."""
Reduction = Callable[[g.Groups, Any, g.Kept], Column]


def literal(op: Node) -> Column:
    """The one value of a literal, for all rows."""
    value = op.value
    if value is None:
        return Column(np.array(0.0 if op.dtype.is_floating() else 0), np.array(True))
    if isinstance(value, str):
        return Column(np.array(0), None, np.array([value], dtype=object))
    if isinstance(value, datetime):
        return Column(np.array(moment(value.replace(tzinfo=None))))
    if isinstance(value, bool | int | float):
        return Column(np.array(value))
    raise NotOnArrays(f"a literal of the type {op.dtype}")


def _plain(function: Callable[..., Column]) -> Callable[[Node], Compiled]:
    """A function of all the parts of a node."""
    return lambda op: (function, [part for part in op.args if part is not None])


def _several(function: Callable[..., Column]) -> Callable[[Node], Compiled]:
    """A function of a node that holds a list of values."""
    return lambda op: (function, op.arg)


def _cast(op: Node) -> Compiled:
    if op.arg.dtype.is_string() or op.arg.dtype.is_timestamp():
        if op.to.is_timestamp() and op.arg.dtype.is_timestamp():
            return (lambda column: column), [op.arg]
        raise NotOnArrays(f"a cast from {op.arg.dtype} to {op.to}")
    if op.to.is_float64():
        return f.to_float, [op.arg]
    if op.to.is_int64():
        return f.to_int, [op.arg]
    raise NotOnArrays(f"a cast to {op.to}")


def _round(op: Node) -> Compiled:
    if getattr(op.digits, "value", None) != 0:
        raise NotOnArrays("rounding to digits")
    whole: Callable[..., Column] = f.whole
    return (lambda column: f.to_int(whole(column))) if op.dtype.is_integer() else whole, [op.arg]


def _in(op: Node) -> Compiled:
    return f.is_in, [op.value, *op.options]


def _seconds(op: Node) -> Compiled:
    if not op.arg.dtype.is_timestamp():
        raise NotOnArrays("seconds of what is no moment")
    return f.epoch_seconds, [op.arg]


def _date(op: Node) -> Compiled:
    if not op.arg.dtype.is_timestamp():
        raise NotOnArrays("the day of what is no moment")
    return f.to_date, [op.arg]


def _searched(op: Node) -> Compiled:
    count = len(op.cases)

    def compute(*columns: Column) -> Column:
        return f.cases(columns[:count], columns[count:-1], columns[-1])

    return compute, [*op.cases, *op.results, op.default]


def _is_decimal(op: Node) -> bool:
    """Whether DuckDB computes it as a decimal fraction: a literal such as 0.1, and what is made of
    such and of whole numbers alone.
    """
    if isinstance(op, ops.Literal):
        return isinstance(op.value, float)
    if isinstance(op, ops.IfElse):
        parts = [op.true_expr, op.false_null_expr]
    elif isinstance(op, ops.SearchedCase):
        parts = [*op.results, op.default]
    elif isinstance(op, ops.Coalesce):
        parts = list(op.arg)
    elif isinstance(op, ops.Negate | ops.Abs | ops.NullIf):
        parts = [op.arg]
    else:
        return False
    decimals = [part for part in parts if _is_decimal(part)]
    return bool(decimals) and all(part in decimals or part.dtype.is_integer() for part in parts)


def _binary(compute: Callable[[Values, Values], Values]) -> Callable[[Node], Compiled]:
    """A sum, difference or product, of which at least one side is no decimal fraction."""

    def compile_it(op: Node) -> Compiled:
        decimal = [_is_decimal(part) for part in op.args]
        fractions = [part for part, it_is in zip(op.args, decimal, strict=True) if not it_is]
        if any(decimal) and not any(part.dtype.is_floating() for part in fractions):
            raise NotOnArrays("counting with decimal fractions")
        return f.arithmetic(compute), op.args

    return _numbers_alone(compile_it)


def _numbers_alone(compiled: Callable[[Node], Compiled]) -> Callable[[Node], Compiled]:
    """What is only known of numbers: not the difference of two moments."""

    def compile_it(op: Node) -> Compiled:
        for part in op.args:
            if not (part.dtype.is_numeric() or part.dtype.is_boolean()):
                raise NotOnArrays(f"`{type(op).__name__}` of {part.dtype}")
        return compiled(op)

    return compile_it


ELEMENTWISE: dict[type[Node], Callable[[Node], Compiled]] = {
    ops.Add: _binary(np.add),
    ops.Subtract: _binary(np.subtract),
    ops.Multiply: _binary(np.multiply),
    ops.Divide: _numbers_alone(_plain(f.divide)),
    ops.Power: _numbers_alone(_plain(f.power)),
    ops.Negate: _numbers_alone(_plain(f.negate)),
    ops.Abs: _numbers_alone(_plain(f.absolute)),
    ops.Exp: _plain(f.of_floats(math.exp)),
    ops.Ln: _plain(f.of_floats(math.log)),
    ops.Sqrt: _plain(f.of_floats(math.sqrt)),
    ops.Round: _round,
    ops.Cast: _cast,
    ops.Date: _date,
    ops.ExtractEpochSeconds: _seconds,
    ops.Equals: _plain(f.compared(np.equal)),
    ops.NotEquals: _plain(f.compared(np.not_equal)),
    ops.Less: _plain(f.compared(np.less)),
    ops.LessEqual: _plain(f.compared(np.less_equal)),
    ops.Greater: _plain(f.compared(np.greater)),
    ops.GreaterEqual: _plain(f.compared(np.greater_equal)),
    ops.Between: _plain(f.between),
    ops.InValues: _in,
    ops.And: _plain(f.both),
    ops.Or: _plain(f.either),
    ops.Not: _plain(f.opposite),
    ops.IsNull: _plain(f.is_missing),
    ops.NotNull: _plain(f.is_there),
    ops.NullIf: _plain(f.null_if),
    ops.IfElse: _plain(f.if_else),
    ops.Coalesce: _several(f.first_there),
    ops.SearchedCase: _searched,
}

REDUCTIONS: dict[type[Node], Reduction] = {
    ops.CountStar: lambda groups, _column, kept: groups.counted(kept),
    ops.Count: lambda groups, _column, kept: groups.counted(kept),
    ops.CountDistinct: lambda groups, column, kept: groups.distinct(column, kept),
    ops.Sum: lambda groups, column, kept: groups.total(column, kept),
    ops.Mean: lambda groups, column, kept: groups.mean(column, kept),
    ops.Min: lambda groups, column, kept: groups.extreme(column, kept, largest=False),
    ops.Max: lambda groups, column, kept: groups.extreme(column, kept, largest=True),
}

WINDOWED: dict[type[Node], g.Ranking] = {
    ops.RowNumber: g.row_number,
    ops.MinRank: g.rank,
    ops.DenseRank: g.dense_rank,
}
