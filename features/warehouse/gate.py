"""The gate: the only door from what a shop recorded to what a feature may see.

A caller names the fields it wants and gets the rows of those customers who granted *every* category
of these fields for the gate's purpose, holding nothing but these fields. Of these rows only those
pass that the grant covers, that are not older than their retention, and whose data source may be
read. So features that are made now need no mask: the rows that would carry a withheld field are not
there, and a feature made from no rows is `NaN`. Features that were made earlier and are kept do,
since a grant may have ended meanwhile (`features.shop.withholding`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime, timedelta

import ibis
import numpy as np
import pandas as pd

from features.catalog import PRODUCT, Catalog
from features.errors import FeatureError, WorkspaceError
from features.tables.table import PLUMBING, RECORDED_AT, SOURCE
from features.tables.tables import STANDARD, Tables
from features.warehouse.store import Warehouse

Expression = Callable[[ibis.Table], ibis.Table]
"""Makes what is asked from rows; hashable, and equal where it makes the same."""
BEGINNING = pd.Timestamp(0)
"""Earlier than anything that is recorded."""


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
        sources = tuple(self._catalog.readable_sources(self._now.date()))
        return self._warehouse.collect_made(
            (type(self), made, fields, sources),
            lambda table: made(self._seen(fields, table)),
            asked,
        )

    def customers_granting(self, fields: Collection[str]) -> pd.Index:
        """Customers (int64) who granted every category of `fields`; all who granted anything where
        the fields need none.
        """
        customers: pd.Index = pd.Index(self._covered(fields)["customer"])
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

    def _covered(self, fields: Collection[str]) -> pd.DataFrame:
        """Who granted every category of `fields`, and from when on all these grants cover their
        data: customer, covers_from.
        """
        categories = self._catalog.categories_of(fields)
        if not categories:
            return pd.DataFrame({"customer": self.customers(), "covers_from": BEGINNING})
        by_category = [
            self._granted[self._granted["category"] == category] for category in sorted(categories)
        ]
        covered = [
            part.set_index("customer")["covers_from"].fillna(BEGINNING) for part in by_category
        ]
        return (
            pd.concat(covered, axis=1, join="inner").max(axis=1).rename("covers_from").reset_index()
        )

    def asked(self, fields: Collection[str], spine: pd.DataFrame) -> pd.DataFrame:
        """Whose rows of `fields` may be seen at which moments, and how far back: customer, as_of,
        covers_from, the later of where the grants begin and where retention ends.
        """
        oldest = self._now - timedelta(days=self._catalog.retention_days(fields))
        asked = (
            spine[["customer", "as_of"]]
            .drop_duplicates()
            .merge(self._covered(fields), on="customer")
            .astype({"as_of": "datetime64[us]", "covers_from": "datetime64[us]"})
        )
        kept_since = np.datetime64(oldest.replace(tzinfo=None), "us")
        return asked.assign(covers_from=np.maximum(asked["covers_from"], kept_since))

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
        recorded = self._warehouse.table(table)
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
        return recorded.filter(
            recorded[SOURCE].isin(self._catalog.readable_sources(self._now.date()))
        )

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


def _list(names: Collection[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
