"""The gate: the only door from what a shop recorded to what a feature may see.

A caller names the fields it wants and gets the rows of those customers who granted *every* category
of these fields for the gate's purpose, holding nothing but these fields. Of these rows only those
pass that the grant covers, that are not older than their retention, and whose data source may be
read. So features that are made now need no mask: the rows that would carry a withheld field are not
there, and a feature made from no rows is `NaN`. Features that were made earlier and are kept do,
since a grant may have ended meanwhile (`features.shop.withholding`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from copy import copy
from datetime import datetime, timedelta
from functools import cached_property, partial

import ibis
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.catalog import PRODUCT, Catalog
from features.engines.columns import Rows, moment
from features.errors import FeatureError, WorkspaceError
from features.tables.table import PLUMBING, RECORDED_AT, SOURCE
from features.tables.tables import STANDARD, Tables
from features.warehouse.own_rows import (
    ASKED,
    NOTHING_ARRIVED,
    OVER_HTTP,
    Arrived,
    OwnRows,
    asked_rows,
)
from features.warehouse.store import Warehouse

Expression = Callable[[ibis.Table], ibis.Table]
"""Makes what is asked from rows; hashable, and equal where it makes the same."""
BEGINNING = pd.Timestamp(0)
"""Earlier than anything that is recorded."""
Covered = tuple[NDArray[np.int64], NDArray[np.datetime64]]
"""Customers, each once and in order, and from when on their grants cover their data."""
Wanted = tuple[tuple[str, ...], Expression]
"""Fields, and what is to be made of their rows."""


class Gate:
    """Opens the warehouse for one purpose at the moment `now`.

    `granted` holds the grants in force, one row each (`features.consent.grants.grants`): customer,
    category, covers_from; who or what is not in it is withheld. `ledger_seq` is the position of the
    ledger that they were read at, `tables` say which of them hold states.
    """

    def __init__(
        self,
        warehouse: Warehouse,
        catalog: Catalog,
        purpose: str,
        granted: pd.DataFrame,
        now: datetime,
        ledger_seq: int = 0,
        tables: Tables = STANDARD,
    ) -> None:
        self._warehouse = warehouse
        self._open = warehouse.table
        self._catalog = catalog
        self.purpose = purpose
        self._granted = granted
        self._now = now
        self._tables = tables
        self.ledger_seq = ledger_seq

    def rows(self, fields: Collection[str], spine: pd.DataFrame) -> ibis.Table:
        """Rows of one table for every (customer, as_of) of `spine`: customer, as_of and `fields`,
        each by its column's name.

        A row appears where the customer granted every category of `fields`, these grants cover it,
        retention and data source allow it, and the shop had recorded it before as_of. The time of
        recording itself stays here; it is no feature. In a table of rows of several kinds it
        appears where it fills one of `fields` at all: that there was an event of another kind is
        told by its own fields alone.

        Raises `FeatureError` where a field is not declared for the gate's purpose, `WorkspaceError`
        where no source fills it.
        """
        self.refuse_undeclared(fields)
        return self._seen(fields, ibis.memtable(self.asked(fields, spine)))

    def collect(self, table: ibis.Table) -> pd.DataFrame:
        """The rows of an expression made from `rows`; each can be collected once."""
        return self._warehouse.collect(table)

    def over(self, spine: pd.DataFrame) -> GateView:
        """The gate's rows at the moments of `spine`, for several expressions."""
        return GateView(self, spine)

    def collect_made(
        self, fields: tuple[str, ...], asked: pd.DataFrame, made: Expression
    ) -> pd.DataFrame:
        """What `made` makes of the rows that are `asked` for."""
        return self._warehouse.collect_made(
            (type(self), made, fields, self.readable()),
            lambda table: made(self._seen(fields, table)),
            asked,
        )

    def customers_granting(self, fields: Collection[str]) -> pd.Index:
        """Customers (int64) who granted every category of `fields`; all who granted anything where
        the fields need none.
        """
        customers: pd.Index = pd.Index(self._covered(fields)[0], name="customer")
        return customers

    def spine(self, as_of: datetime) -> pd.DataFrame:
        """Whom anything may be said of at one moment: customer (int64), as_of (datetime64).

        These are the customers of whom a row may be seen that was recorded before `as_of`. Whether
        somebody ordered at all is told by their orders, and so it is withheld with them.
        """
        moment = pd.Timestamp(as_of).as_unit("us")
        unseen = everybody = pd.DataFrame({"customer": self.customers(), "as_of": moment})
        for field in self._one_field_of_each_category():
            if unseen.empty:
                break
            seen = self.collect(self.rows((field,), unseen).select("customer").distinct())[
                "customer"
            ]
            unseen = unseen[~unseen["customer"].isin(seen)]
        customers = np.setdiff1d(
            everybody["customer"].to_numpy("int64"), unseen["customer"].to_numpy("int64")
        )
        return pd.DataFrame({"customer": customers, "as_of": moment})

    def customers(self) -> pd.Index:
        """Customers (int64) who granted at least one category, whether or not they ever ordered."""
        customers: pd.Index = pd.Index(self._granted["customer"].unique())
        return customers

    def may_read(self, fields: Collection[str]) -> bool:
        """Whether the catalog declares `fields` for the gate's purpose at all."""
        return self._catalog.permits(fields, self.purpose)

    def categories_of(self, fields: Collection[str]) -> frozenset[str]:
        """Categories that have to be granted before `fields` may be read."""
        return self._catalog.categories_of(fields)

    @cached_property
    def _by_category(self) -> Mapping[str, Covered]:
        """Who granted each category, and from when on this covers their data."""
        whose = self._granted["customer"].to_numpy("int64")
        since = self._granted["covers_from"].to_numpy("datetime64[us]")
        since = np.where(np.isnat(since), BEGINNING.to_datetime64(), since)
        names = self._granted["category"].to_numpy(dtype=object)
        found: dict[str, Covered] = {}
        for name in dict.fromkeys(names.tolist()):
            its = np.flatnonzero(names == name)
            order = its[np.argsort(whose[its], kind="stable")]
            found[name] = (whose[order], since[order])
        return found

    def _covered(self, fields: Collection[str]) -> Covered:
        """Who granted every category of `fields`, and from when on all these grants cover their
        data.
        """
        none = (np.empty(0, np.int64), np.empty(0, "datetime64[us]"))
        parts = [
            self._by_category.get(category, none)
            for category in sorted(self._catalog.categories_of(fields))
        ]
        if not parts:
            everybody = np.unique(self._granted["customer"].to_numpy("int64"))
            return everybody, np.full(len(everybody), BEGINNING.to_datetime64(), "datetime64[us]")
        found = parts[0]
        for other in parts[1:]:
            found = _in_both(found, other)
        return found

    def asked(self, fields: Collection[str], spine: pd.DataFrame) -> pd.DataFrame:
        """Whose rows of `fields` may be seen at which moments, and how far back: customer, as_of,
        covers_from, the later of where the grants begin and where retention ends.
        """
        customers, since = self._covered(fields)
        once = spine[["customer", "as_of"]].drop_duplicates()
        whose = once["customer"].to_numpy("int64")
        places = np.searchsorted(customers, whose)
        places[places == len(customers)] = 0
        granted = (
            customers[places] == whose if len(customers) else np.zeros(len(whose), dtype=np.bool_)
        )
        kept = since[places[granted]] if len(customers) else since
        return pd.DataFrame(
            {
                "customer": whose[granted],
                "as_of": once["as_of"].to_numpy("datetime64[us]")[granted],
                "covers_from": np.maximum(kept, self._kept_since(fields)),
            }
        )

    def _kept_since(self, fields: Collection[str]) -> np.datetime64:
        """The oldest moment that retention lets be read for all of `fields`."""
        oldest = self._now - timedelta(days=self._catalog.retention_days(fields))
        return np.datetime64(oldest.replace(tzinfo=None), "us")

    def of_one(
        self,
        customer: int,
        arrived: Arrived = NOTHING_ARRIVED,
        granted: Mapping[str, Covered] | None = None,
    ) -> GateOfOne:
        """The same gate, opened onto the rows of one customer and those that `arrived` since.

        `granted` are the customer's grants by category where they were read alone; those of the
        gate hold otherwise.
        """
        own, rows = copy(self), self._warehouse.own(customer, arrived)
        own._open = rows.table  # noqa: SLF001 - of a gate like this one
        if granted is not None:
            own._by_category = granted  # noqa: SLF001 - see above
        return GateOfOne(own, rows)

    def expression(self, wanted: Wanted, asked: str) -> ibis.Table:
        """What is to be made of the rows that pass for the table called `asked`."""
        fields, made = wanted
        return made(self._seen(fields, ibis.table(ASKED, name=asked)))

    def readable(self) -> tuple[str, ...]:
        """The data sources that may be read at this moment."""
        readable = self._catalog.readable_sources(self._now.date())
        return readable if OVER_HTTP in self._catalog.sources else (*readable, OVER_HTTP)

    def covers_from(self, fields: Collection[str], customer: int) -> np.datetime64 | None:
        """From when on a customer's rows of `fields` may be seen; None for none at all."""
        customers, since = self._covered(fields)
        place = int(np.searchsorted(customers, customer))
        if place == len(customers) or customers[place] != customer:
            return None
        begins: np.datetime64 = max(since[place], self._kept_since(fields))
        return begins

    def _seen(self, fields: Collection[str], asked: ibis.Table) -> ibis.Table:
        """The rows that pass for `asked`, a table of what `asked` gives."""
        table = self._table_of(fields)
        kept = self._readable(table, fields)
        recorded_at = kept[RECORDED_AT]
        seen = kept.join(
            asked,
            [
                kept["customer"] == asked["customer"],
                recorded_at < asked["as_of"],
                recorded_at >= asked["covers_from"],
            ],
        )
        if self._tables.is_state(table):
            newest = ibis.row_number().over(
                group_by=["customer", "as_of"], order_by=ibis.desc(RECORDED_AT)
            )
            seen = seen.filter(newest == 0)
        columns = [field.partition(".")[2] for field in fields]
        if self._tables.has_kinds(table):
            told = [seen[column].notnull() for column in columns]  # noqa: PD004 - of Ibis
            seen = seen.filter(ibis.or_(*told))
        return seen.select("customer", "as_of", *columns)

    def _readable(self, table: str, fields: Collection[str]) -> ibis.Table:
        """Rows of `table` from the data sources that may be read."""
        recorded = self._open(table)
        if SOURCE not in recorded.columns:
            raise WorkspaceError(
                "the warehouse was loaded by an earlier version of Sayso; load it again with `sayso"
                " ingest`"
            )
        filled = [column for column in recorded.columns if column not in PLUMBING]
        if unfilled := [field for field in fields if field.partition(".")[2] not in filled]:
            raise WorkspaceError(
                f"{_list(unfilled)} is declared in sayso.toml, and the warehouse has no such"
                f" column; of `{table}` it has {_list(filled)}. Correct or remove the field there,"
                " or name its column under `columns` of a source, and run `sayso ingest`"
            )
        return recorded.filter(recorded[SOURCE].isin(self.readable()))

    @staticmethod
    def _table_of(fields: Collection[str]) -> str:
        tables = {field.partition(".")[0] for field in fields}
        if len(tables) != 1:
            raise FeatureError(
                "a definition reads fields of one table, and these are of"
                f" {', '.join(sorted(tables)) or 'none'}: {sorted(fields)}"
            )
        return tables.pop()

    def _one_field_of_each_category(self) -> list[str]:
        """A field for each table and category that the purpose may read and a source filled, those
        of the smaller tables first.
        """
        declared = [
            f
            for f in self._catalog.fields.values()
            if f.category != PRODUCT and self.purpose in f.purposes
        ]
        declared.sort(key=lambda field: not self._tables.is_state(field.table))
        return list(
            {
                (f.table, f.category): f.name for f in declared if self._warehouse.has(f.table)
            }.values()
        )

    def kind_of(self, fields: Collection[str]) -> tuple[frozenset[str], int]:
        """What decides whose rows of `fields` are asked for: their categories, and for how many
        days they may be kept.
        """
        return self._catalog.categories_of(fields), self._catalog.retention_days(fields)

    def refuse_undeclared(self, fields: Collection[str]) -> None:
        """Raise `FeatureError` for a field that is not declared for the gate's purpose."""
        if refused := self._catalog.refused(fields, self.purpose):
            raise FeatureError(
                f"the field `{refused[0]}` is not declared for the purpose `{self.purpose}` in"
                " sayso.toml; declare it there or do not read it"
            )


class GateView:
    """A gate's rows at the moments of one spine.

    Whose rows are asked for is worked out once for all fields of the same categories and retention.
    """

    def __init__(self, gate: Gate, spine: pd.DataFrame) -> None:
        self._gate = gate
        self._spine = spine
        self._asked: dict[tuple[frozenset[str], int], pd.DataFrame] = {}

    def collect(self, fields: Collection[str], made: Expression) -> pd.DataFrame:
        """What `made` makes of the gate's `rows` of `fields`, collected.

        The SQL of equal expressions, such as those of a feature definition, is made once. Raises
        what `Gate.rows` raises.
        """
        gate = self._gate
        gate.refuse_undeclared(fields)
        kind = gate.kind_of(fields)
        if kind not in self._asked:
            self._asked[kind] = gate.asked(fields, self._spine)
        return gate.collect_made(tuple(fields), self._asked[kind], made)


class GateOfOne:
    """A gate's rows of one customer, for all that is made of them at once."""

    def __init__(self, gate: Gate, rows: OwnRows) -> None:
        self._gate = gate
        self._rows = rows

    def collect(self, wanted: Sequence[Wanted], as_of: datetime) -> list[Rows | None]:
        """What each of the expressions `wanted` makes of the gate's rows of its fields; None where
        there are none, since the customer did not grant them.

        Equal to the bit to what `GateView.collect` gives for the same customer. Raises what
        `Gate.rows` raises.
        """
        gate, customer = self._gate, self._rows.customer
        since: dict[tuple[frozenset[str], int], np.datetime64 | None] = {}
        names: dict[np.datetime64, str] = {}
        key, expressions = (type(gate), gate.readable()), dict[Hashable, Callable[[], ibis.Table]]()
        places: list[Hashable] = []
        gate.refuse_undeclared(dict.fromkeys(field for one in wanted for field in one[0]))
        for one in wanted:
            kind = gate.kind_of(one[0])
            if kind not in since:
                since[kind] = gate.covers_from(one[0], customer)
            if (begins := since[kind]) is None:
                places.append(None)
                continue
            asked = names.setdefault(begins, f"asked_{len(names)}")
            places.append((*key, *one, asked))
            expressions[places[-1]] = partial(gate.expression, one, asked)
        rows = {
            name: asked_rows(customer, moment(as_of), int(begins.astype(np.int64)))
            for begins, name in names.items()
        }
        found = dict(zip(expressions, self._rows.made(expressions, rows), strict=True))
        return [found.get(place) for place in places]


def _in_both(one: Covered, other: Covered) -> Covered:
    """Who is in both, each covered from the later moment."""
    customers, first, second = np.intersect1d(
        one[0], other[0], assume_unique=True, return_indices=True
    )
    return customers, np.maximum(one[1][first], other[1][second])


def _list(names: Collection[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
