"""One customer's rows, for the gate: it computes on them as it does on whole tables, and needs
milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Protocol

import ibis
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from ibis.expr.operations import UnboundTable

from features.engines.arrays import Plan, Program
from features.engines.columns import Column, NotOnArrays, Rows, rows_of
from features.tables.declared.transactions import ORDER_ID
from features.tables.table import CUSTOMER, SOURCE

ASKED = ibis.schema({CUSTOMER: "int64", "as_of": "timestamp(6)", "covers_from": "timestamp(6)"})
"""The columns of what is asked for."""
MOST_KEPT = 500
OVER_HTTP = "sent over HTTP"
"""The source of rows that the shop sent while it ran."""
Loaded = tuple[str, int]
"""A generation of the warehouse, and the number of the newest arrival that it holds."""
Expression = Callable[[], ibis.Table]


class Tables(Protocol):
    """The tables of a warehouse, of which some hold rows of customers."""

    def schema(self, name: str) -> pa.Schema:
        """The columns of a table."""

    def rows(self, name: str, customer: int, columns: Collection[str]) -> pa.Table:
        """A customer's rows of a table."""

    def has(self, name: str) -> bool:
        """Whether a source filled that table."""

    @property
    def query(self) -> Callable[[str, Mapping[str, pa.Table]], pa.Table]:
        """What DuckDB makes of tables, asked in SQL."""


@dataclass(frozen=True)
class Compiled:
    """Several expressions: those that run on arrays by one plan, the others as SQL by their place
    among all.
    """

    plan: Plan
    queries: Mapping[int, str]
    reads: frozenset[str]
    """The tables that the SQL reads."""


@dataclass(frozen=True)
class Arrived:
    """Rows that came since the tables were loaded, by table, and the orders that are stated as a
    whole in them.
    """

    rows: Mapping[str, pa.Table] = field(default_factory=dict)
    wholes: frozenset[str] = frozenset()

    def beside(self, name: str, held: pa.Table, columns: Collection[str]) -> pa.Table:
        """The `held` rows of one customer with those that came, each order counted once: as it was
        stated as a whole, else as a file has it.
        """
        more = self.rows.get(name)
        if ORDER_ID in held.column_names:
            held = held.filter(pc.invert(_among(held[ORDER_ID], self.wholes)))
            if more is not None:
                filed = held.filter(pc.not_equal(held[SOURCE], pa.scalar(OVER_HTTP)))
                known = {str(order) for order in filed[ORDER_ID].to_pylist()} - self.wholes
                more = more.filter(pc.invert(_among(more[ORDER_ID], known)))
        names = [column for column in held.column_names if column in columns]
        if more is None:
            return held.select(names)
        return pa.concat_tables([held.select(names), more.select(names)])


NOTHING_ARRIVED = Arrived()


class Programs:
    """What was compiled, for all customers of one generation."""

    def __init__(self) -> None:
        self.one_at_a_time = Lock()
        self.program = Program()
        self.places: dict[Hashable, int | None] = {}
        """By expression; None for one that does not run on arrays."""
        self.compiled: dict[Hashable, Compiled] = {}


@dataclass(frozen=True)
class OwnRows:
    """The rows of `customer` in `tables`, and those that arrived since these were loaded.

    `programs` keeps what was compiled, for all customers.
    """

    tables: Tables
    customer: int
    programs: Programs
    arrived: Arrived = NOTHING_ARRIVED

    def table(self, name: str) -> ibis.Table:
        """A table, for an expression."""
        return ibis.table(ibis.Schema.from_pyarrow(self._schema(name)), name=name)

    def _schema(self, name: str) -> pa.Schema:
        if name in self.arrived.rows and not self.tables.has(name):
            return self.arrived.rows[name].schema
        return self.tables.schema(name)

    def made(
        self, expressions: Mapping[Hashable, Expression], asked: Mapping[str, Rows]
    ) -> list[Rows]:
        """What `expressions`, each under a key that stands for it, make of the rows and of the
        tables `asked`.
        """
        compiled = self._compiled(expressions)
        try:
            found = self._run(compiled.plan, asked)
        except NotOnArrays:  # values that are left to DuckDB
            return self._queried(self._as_queries(expressions), asked, [])
        return self._queried(compiled, asked, found)

    def _compiled(self, expressions: Mapping[Hashable, Expression]) -> Compiled:
        key, known = tuple(expressions), self.programs
        if (found := known.compiled.get(key)) is not None:
            return found
        with known.one_at_a_time:
            for each, expression in expressions.items():
                if each not in known.places:
                    known.places[each] = self._added(expression)
            places = [known.places[each] for each in expressions]
            queried = [at for at, place in enumerate(places) if place is None]
            plan = known.program.plan([place for place in places if place is not None])
        return self._keep(key, _sql(expressions, plan, queried))

    def _added(self, expression: Expression) -> int | None:
        try:
            return self.programs.program.add(expression())
        except NotOnArrays:
            return None

    def _as_queries(self, expressions: Mapping[Hashable, Expression]) -> Compiled:
        key = (tuple(expressions), "queries")
        if (found := self.programs.compiled.get(key)) is not None:
            return found
        return self._keep(key, _sql(expressions, Program().plan([]), range(len(expressions))))

    def _keep(self, key: Hashable, compiled: Compiled) -> Compiled:
        if len(self.programs.compiled) >= MOST_KEPT:
            self.programs.compiled.clear()
        self.programs.compiled[key] = compiled
        return compiled

    def _run(self, plan: Plan, asked: Mapping[str, Rows]) -> list[Rows]:
        inputs = {
            name: asked[name] if name in asked else rows_of(self._read(name, plan.needs[name]))
            for name in plan.inputs
        }
        return plan.run(inputs)

    def _read(self, name: str, columns: Collection[str]) -> pa.Table:
        arrived = self.arrived
        if name not in arrived.rows and not arrived.wholes:
            return self.tables.rows(name, self.customer, columns)
        if not self.tables.has(name):
            return arrived.rows[name].select(sorted(columns))
        held = self.tables.rows(name, self.customer, {*columns, ORDER_ID, SOURCE})
        return arrived.beside(name, held, columns)

    def _queried(
        self, compiled: Compiled, asked: Mapping[str, Rows], found: list[Rows]
    ) -> list[Rows]:
        """All results in their order: those that were `found`, and those of the SQL."""
        if not compiled.queries:
            return found
        tables = {
            name: _arrow(asked[name])
            if name in asked
            else self._read(name, self._schema(name).names)
            for name in compiled.reads
        }
        places = iter(found)
        return [
            rows_of(_plain(self.tables.query(compiled.queries[at], tables)))
            if at in compiled.queries
            else next(places)
            for at in range(len(compiled.queries) + len(found))
        ]


def _among(texts: Any, values: Collection[str]) -> Any:
    return pc.is_in(texts, pa.array(sorted(values), pa.string()))


def _sql(
    expressions: Mapping[Hashable, Expression], plan: Plan, queried: Iterable[int]
) -> Compiled:
    """A plan, and the expressions at some places as SQL."""
    every = list(expressions.values())
    tables = {at: every[at]() for at in queried}
    inputs = [op for table in tables.values() for op in table.op().find(UnboundTable)]
    queries = {at: str(ibis.to_sql(table, dialect="duckdb")) for at, table in tables.items()}
    return Compiled(plan, queries, frozenset(op.name for op in inputs))


def asked_rows(customer: int, as_of: int, covers_from: int) -> Rows:
    """The one row that asks for a customer at a moment (microseconds since 1970)."""
    values = zip(ASKED, (customer, as_of, covers_from), strict=True)
    return Rows(1, {name: Column(np.array([value], np.int64)) for name, value in values})


def _plain(found: pa.Table) -> pa.Table:
    """What DuckDB gave, decimal fractions and the largest whole numbers as float64."""
    for at, held in enumerate(found.schema):
        if pa.types.is_decimal(held.type):
            found = found.set_column(at, held.name, found.column(at).cast(pa.float64()))
    return found


def _arrow(rows: Rows) -> pa.Table:
    arrays = {name: pa.array(column.values) for name, column in rows.columns.items()}
    return pa.table(
        {
            name: array if name == CUSTOMER else array.cast(pa.timestamp("us"))
            for name, array in arrays.items()
        }
    )
