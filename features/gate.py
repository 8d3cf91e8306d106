"""The gate: the only door from what a shop recorded to what a feature may see.

A caller names the fields it wants and gets the rows of those customers who granted *every* category of these fields for
the gate's purpose, holding nothing but these fields. A withheld field therefore needs no masking further on: the rows
that would carry it are not there, and a feature made from no rows is `NaN`.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

import ibis
import pandas as pd

from features.catalog import Catalog
from features.errors import FeatureError
from features.warehouse import RECORDED_AT, Warehouse

STATES = frozenset({"customers"})
"""Tables whose newest row replaces the older ones; in the others every row is an event of its own."""


class Gate:
    """Opens the warehouse for one purpose.

    `granted` holds the grants in force (columns customer int64, category str), as `Ledger.granted` gives them.
    """

    def __init__(self, warehouse: Warehouse, catalog: Catalog, purpose: str, granted: pd.DataFrame) -> None:
        self._warehouse = warehouse
        self._catalog = catalog
        self.purpose = purpose
        self._granted = granted

    def rows(self, fields: Collection[str], spine: pd.DataFrame) -> ibis.Table:
        """Rows of one table for every (customer, as_of) of `spine`: customer, as_of and `fields`, each by its column's name.

        A row appears where the customer granted every category of `fields` and the shop had recorded it before as_of.
        The time of recording itself stays here; it is no feature.

        Raises `FeatureError` where a field is not declared for the gate's purpose.
        """
        columns = [self._column(field) for field in fields]
        tables = {field.partition(".")[0] for field in fields}
        if len(tables) != 1:
            raise FeatureError(
                f"a definition reads fields of one table, and these are of {', '.join(sorted(tables)) or 'none'}: {sorted(fields)}"
            )
        (table,) = tables
        allowed = spine[spine["customer"].isin(self.customers_granting(fields))].drop_duplicates(["customer", "as_of"])
        asked = ibis.memtable(allowed[["customer", "as_of"]].astype({"as_of": "datetime64[us]"}))
        recorded = self._warehouse.table(table)
        seen = recorded.join(asked, [recorded["customer"] == asked["customer"], recorded[RECORDED_AT] < asked["as_of"]])
        if table in STATES:
            newest = ibis.row_number().over(group_by=["customer", "as_of"], order_by=ibis.desc(RECORDED_AT))
            seen = seen.mutate(age=newest).filter(ibis._.age == 0)
        return seen.select("customer", "as_of", *columns)

    def collect(self, table: ibis.Table) -> pd.DataFrame:
        """The rows of an expression made from `rows`; each can be collected once."""
        return self._warehouse.collect(table)

    def customers_granting(self, fields: Collection[str]) -> pd.Index:
        """Customers (int64) who granted every category of `fields`; all who granted anything where the fields need none."""
        categories = self._catalog.categories_of(fields)
        if not categories:
            return self.customers()
        grants = self._granted[self._granted["category"].isin(categories)].groupby("customer").size()
        return grants.index[grants == len(categories)]

    def spine(self, as_of: datetime) -> pd.DataFrame:
        """Whom anything may be said of at one moment: customer (int64), as_of (datetime64).

        These are the customers who granted at least one category and of whom the shop had recorded an order before `as_of`.
        """
        recorded = self._warehouse.table("transactions")
        known = self.collect(recorded.filter(recorded[RECORDED_AT] < as_of).select("customer").distinct())["customer"]
        customers = self._granted["customer"].unique()
        present = pd.Series(customers)[pd.Series(customers).isin(known)].sort_values(ignore_index=True)
        return pd.DataFrame({"customer": present.astype("int64"), "as_of": pd.Timestamp(as_of).as_unit("us")})

    def customers(self) -> pd.Index:
        """Customers (int64) who granted at least one category, whether or not they ever ordered."""
        return pd.Index(self._granted["customer"].unique())

    def may_read(self, fields: Collection[str]) -> bool:
        """Whether the catalog declares `fields` for the gate's purpose at all."""
        return self._catalog.permits(fields, self.purpose)

    def categories_of(self, fields: Collection[str]) -> frozenset[str]:
        """Categories that have to be granted before `fields` may be read."""
        return self._catalog.categories_of(fields)

    def _column(self, field: str) -> str:
        if not self._catalog.permits([field], self.purpose):
            raise FeatureError(
                f"the field `{field}` is not declared for the purpose `{self.purpose}` in sayso.toml; declare it there or do not read it"
            )
        return field.partition(".")[2]
