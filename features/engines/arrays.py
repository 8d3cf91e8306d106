"""Ibis expressions computed on arrays, over a few rows: what takes DuckDB a millisecond of planning
each is here a handful of NumPy calls.

The result is DuckDB's to the last bit. What cannot be promised that (a sum of fractions, whose
order DuckDB chooses) is refused with `NotOnArrays`, and runs in DuckDB.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

import ibis
import ibis.expr.operations as ops
import numpy as np

from features.engines.columns import Bools, Column, NotOnArrays, Rows
from features.engines.groups import Groups
from features.engines.values import ELEMENTWISE, REDUCTIONS, WINDOWED, literal

SIDES = ("left", "right")
MOST_PAIRS = 200_000
"""Rows of two tables that are joined, one with each other."""
Node = Any
Step = tuple[Callable[..., Any], tuple[int, ...]]
Scope = Mapping[Node, int]
"""For the two sides of a join, the places of their rows beside one another."""


@dataclass(frozen=True)
class Plan:
    """The steps that lead to some of a program's results."""

    size: int
    inputs: Mapping[str, int]
    needs: Mapping[str, frozenset[str]]
    """By table, the columns of it that some step reads."""
    steps: tuple[tuple[int, Callable[..., Any], tuple[int, ...]], ...]
    results: tuple[int, ...]

    def run(self, tables: Mapping[str, Rows]) -> list[Rows]:
        """What the expressions make of `tables`, by their names.

        Raises `NotOnArrays` for values that arrays do not compute exactly.
        """
        made: list[Any] = [None] * self.size
        for name, at in self.inputs.items():
            made[at] = tables[name]
        for at, compute, needs in self.steps:
            made[at] = compute(*[made[need] for need in needs])
        return [made[at].whole() for at in self.results]


@dataclass
class Program:
    """Expressions compiled into steps, each made once however many of them need it."""

    steps: list[Step] = field(default_factory=list)
    inputs: dict[str, int] = field(default_factory=dict)
    """By table, the place of its rows."""
    needs: dict[str, set[str]] = field(default_factory=dict)
    """By table, the columns of it that some step reads."""
    _known: dict[tuple[Any, ...], int] = field(default_factory=dict)

    def add(self, table: ibis.Table) -> int:
        """Compile one more expression; the place of its result.

        Raises `NotOnArrays`, and leaves the program as it was.
        """
        before = (len(self.steps), dict(self.inputs), dict(self._known))
        try:
            return self._relation(table.op())
        except NotOnArrays:
            del self.steps[before[0] :]
            _, self.inputs, self._known = before
            raise

    def plan(self, results: Sequence[int]) -> Plan:
        """What has to be computed for `results`."""
        wanted = {*results}
        for at in range(len(self.steps) - 1, -1, -1):
            if at in wanted:
                wanted.update(self.steps[at][1])
        inputs = {name: at for name, at in self.inputs.items() if at in wanted}
        steps = [(at, *self.steps[at]) for at in sorted(wanted - {*inputs.values()})]
        needs = {name: frozenset(self.needs[name]) for name in inputs if name in self.needs}
        return Plan(len(self.steps), inputs, needs, tuple(steps), tuple(results))

    def _step(self, key: tuple[Any, ...], compute: Callable[..., Any], *needs: int) -> int:
        self._known[key] = len(self.steps)
        self.steps.append((compute, needs))
        return len(self.steps) - 1

    def _relation(self, op: Node) -> int:
        if (known := self._known.get((op,))) is not None:
            return known
        match op:
            case ops.UnboundTable():
                made = self._table(op)
            case ops.Project():
                made = self._selected(op, op.values, self._relation(op.parent), {})
            case ops.Filter():
                made = self._filter(op)
            case ops.Distinct():
                made = self._distinct(op)
            case ops.JoinChain():
                made = self._join(op)
            case ops.Aggregate():
                made = self._aggregate(op)
            case _:
                raise NotOnArrays(f"`{type(op).__name__}` does not run on arrays")
        return made

    def _table(self, op: Node) -> int:
        at = self._step((op,), _no_input)
        self.inputs[op.name] = at
        self.needs.setdefault(op.name, set())
        return at

    def _selected(self, op: Node, values: Mapping[str, Node], rows: int, scope: Scope) -> int:
        names = tuple(values)
        made = [self._value(value, rows, scope) for value in values.values()]
        return self._step(
            (op,), lambda rows, *columns: _table_of(rows, names, columns), rows, *made
        )

    def _filter(self, op: Node) -> int:
        rows = self._relation(op.parent)
        kept = [self._value(predicate, rows, {}) for predicate in op.predicates]
        return self._step((op,), _kept, rows, *kept)

    def _distinct(self, op: Node) -> int:
        rows = self._relation(op.parent)
        for name in op.parent.schema:
            self._needed(op.parent, name)
        return self._step((op,), _once, rows)

    def _join(self, op: Node) -> int:
        if len(op.rest) != 1 or op.rest[0].how != "inner":
            raise NotOnArrays("a join of several tables, or an outer one")
        (link,) = op.rest
        left, right = self._relation(op.first.parent), self._relation(link.table.parent)
        joined = self._joined(op.first, link, left, right)
        return self._selected(op, op.values, joined[op.first], joined)

    def _joined(self, first: Node, link: Node, left: int, right: int) -> Scope:
        """The places of the rows of both sides that fit one another."""
        key, sides = (first, link), (first, link.table)
        if (*key, "left") in self._known:
            return {side: self._known[*key, name] for side, name in zip(sides, SIDES, strict=True)}
        both = self._step((*key, "both"), _beside, left, right)
        scope = {
            side: self._step((*key, side), itemgetter(at), both) for at, side in enumerate(sides)
        }
        kept = [self._value(one, scope[first], scope) for one in link.predicates]
        all_of = self._step((*key, "kept"), _all_true, scope[first], *kept)
        return {
            side: self._step((*key, name), Rows.take, scope[side], all_of)
            for side, name in zip(sides, SIDES, strict=True)
        }

    def _aggregate(self, op: Node) -> int:
        rows = self._relation(op.parent)
        keys = [self._value(key, rows, {}) for key in op.groups.values()]
        groups = self._groups(rows, keys)
        firsts = [
            self._step((op, "key", at), _of_groups, groups, key) for at, key in enumerate(keys)
        ]
        metrics = [self._value(metric, rows, {}, within=groups) for metric in op.metrics.values()]
        names = (*op.groups, *op.metrics)
        return self._step(
            (op,), lambda groups, *made: _grouped(groups, names, made), groups, *firsts, *metrics
        )

    def _groups(self, rows: int, keys: Sequence[int]) -> int:
        known = ("groups", rows, *keys)
        if known in self._known:
            return self._known[known]
        return self._step(known, lambda rows, *columns: Groups.by(columns, rows.count), rows, *keys)

    def _value(self, op: Node, rows: int, scope: Scope, within: int | None = None) -> int:
        """The place of a value of `rows`; of one for each group where it stands `within` groups."""
        key = (op, rows, within, *scope.values())
        if (known := self._known.get(key)) is not None:
            return known
        if isinstance(op, ops.Literal):
            made = literal(op)
            return self._step(key, lambda: made)
        if isinstance(op, ops.Field):
            return self._field(key, op, scope)
        if type(op) in REDUCTIONS and within is not None:
            return self._reduced(key, op, rows, scope, within)
        if isinstance(op, ops.WindowFunction) and within is None:
            return self._window(key, op, rows, scope)
        found = ELEMENTWISE.get(type(op))
        if found is None:
            raise NotOnArrays(f"`{type(op).__name__}` does not run on arrays")
        compute, parts = found(op)
        return self._step(key, compute, *(self._value(part, rows, scope, within) for part in parts))

    def _field(self, key: tuple[Any, ...], op: Node, scope: Scope) -> int:
        name, rows = op.name, scope.get(op.rel)
        at = self._relation(op.rel) if rows is None else rows
        self._needed(op.rel, name)
        return self._step(key, lambda rows: _column(rows, name), at)

    def _needed(self, relation: Node, name: str) -> None:
        """Note a column of an input; it may be reached through filters and joins alone."""
        while not isinstance(relation, ops.UnboundTable):
            if not isinstance(relation, ops.JoinReference | ops.Filter):
                return
            relation = relation.parent
        self.needs.setdefault(relation.name, set()).add(name)

    def _reduced(self, key: tuple[Any, ...], op: Node, rows: int, scope: Scope, groups: int) -> int:
        """A reduction of the rows of each group."""
        if isinstance(op, ops.Sum | ops.Mean) and op.arg.dtype.is_floating():
            raise NotOnArrays("a sum of fractions")
        reduce_them, arg = REDUCTIONS[type(op)], None if isinstance(op, ops.CountStar) else op.arg
        needs = [rows, groups]
        needs += [] if arg is None else [self._value(arg, rows, scope)]
        needs += [] if op.where is None else [self._value(op.where, rows, scope)]
        has_arg, filtered = arg is not None, op.where is not None

        def compute(rows: Rows, groups: Groups, *columns: Column) -> Column:
            column = columns[0].of_rows(rows.count) if has_arg else None
            where = columns[-1] if filtered else None
            return reduce_them(groups, column, _counting(rows.count, column, where))

        return self._step(key, compute, *needs)

    def _window(self, key: tuple[Any, ...], op: Node, rows: int, scope: Scope) -> int:
        """What each row is within its group, or what is made of the group as a whole."""
        if op.start is not None or op.end is not None:
            raise NotOnArrays("a window that moves")
        keys = [self._value(one, rows, scope) for one in op.group_by]
        groups = self._groups(rows, keys)
        if type(op.func) in REDUCTIONS:
            whole = self._reduced((key, "whole"), op.func, rows, scope, groups)
            return self._step(key, _of_rows, groups, whole)
        rank_them = WINDOWED.get(type(op.func))
        if rank_them is None:
            raise NotOnArrays(f"`{type(op.func).__name__}` does not run on arrays")
        order = [self._value(one.arg, rows, scope) for one in op.order_by]
        ways = [(one.ascending, one.nulls_first) for one in op.order_by]

        def compute(rows: Rows, groups: Groups, *columns: Column) -> Column:
            by = [(c.of_rows(rows.count), *way) for c, way in zip(columns, ways, strict=True)]
            return rank_them(groups, *groups.ordered(by))

        return self._step(key, compute, rows, groups, *order)


def _no_input() -> Rows:
    raise NotOnArrays("a table that was not given")


def _column(rows: Rows, name: str) -> Column:
    try:
        return rows.columns[name]
    except KeyError:
        raise NotOnArrays(f"the column `{name}` has a type that is not known here") from None


def _table_of(rows: Rows, names: Sequence[str], columns: Sequence[Column]) -> Rows:
    return Rows(rows.count, dict(zip(names, columns, strict=True)))


def _grouped(groups: Groups, names: Sequence[str], columns: Sequence[Column]) -> Rows:
    return Rows(groups.count, dict(zip(names, columns, strict=True)))


def _kept(rows: Rows, *predicates: Column) -> Rows:
    return rows.take(_all_true(rows, *predicates))


def _all_true(rows: Rows, *predicates: Column) -> Bools:
    kept = np.ones(rows.count, np.bool_)
    for predicate in predicates:
        kept &= _true(predicate)
    return kept


def _true(where: Column) -> Any:
    values = where.values.astype(np.bool_)
    return values if where.missing is None else values & ~where.missing


def _counting(count: int, column: Column | None, where: Column | None) -> Bools | None:
    """Which rows count: those with a value, and for which `where` is true; None for all."""
    kept = None if column is None or column.missing is None else ~column.missing
    if where is None:
        return kept
    true = np.broadcast_to(_true(where), count)
    return true if kept is None else kept & true


def _once(rows: Rows) -> Rows:
    return rows.take(np.sort(Groups.by(list(rows.columns.values()), rows.count).firsts))


def _beside(left: Rows, right: Rows) -> tuple[Rows, Rows]:
    """Every row of one table beside every row of the other."""
    if left.count * right.count > MOST_PAIRS:
        raise NotOnArrays("a join of so many rows")
    if right.count == 1:
        return left, Rows(left.count, {n: c.for_all(0) for n, c in right.columns.items()})
    one = np.repeat(np.arange(left.count), right.count)
    other = np.tile(np.arange(right.count), left.count)
    return left.take(one), right.take(other)


def _of_groups(groups: Groups, column: Column) -> Column:
    return column.take(groups.firsts)


def _of_rows(groups: Groups, whole: Column) -> Column:
    return whole.take(groups.of)
