"""The door to the warehouse as it would be without consent: what the gate's cost is measured
against.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

import ibis
import numpy as np
import pandas as pd

from features.shop.shop import Shop
from features.tables.declared import customers, transactions
from features.tables.table import RECORDED_AT
from features.warehouse.gate import Gate


class OpenDoor(Gate):
    """Gives out the same rows as the gate, but of everybody and without asking for anything.

    It still looks back in time, as any feature run has to: whose features are asked for, and what
    was recorded before as_of.
    """

    def __init__(self, shop: Shop) -> None:
        self._opened = shop.warehouse
        self._tables = shop.workspace.tables

    def rows(self, fields: Collection[str], spine: pd.DataFrame) -> ibis.Table:
        """All rows that were recorded before as_of."""
        name = next(iter(fields)).partition(".")[0]
        recorded, asked = self._opened.table(name), ibis.memtable(spine)
        seen = recorded.join(
            asked,
            [recorded["customer"] == asked["customer"], recorded[RECORDED_AT] < asked["as_of"]],
        )
        if self._tables.is_state(name):
            newest = ibis.row_number().over(
                group_by=["customer", "as_of"], order_by=ibis.desc(RECORDED_AT)
            )
            seen = seen.mutate(age=newest).filter(ibis._.age == 0)
        return seen.select("customer", "as_of", *(field.partition(".")[2] for field in fields))

    def collect(self, table: ibis.Table) -> pd.DataFrame:
        """The rows of an expression."""
        return self._opened.collect(table)

    def spine(self, as_of: datetime) -> pd.DataFrame:
        """Everybody of whom anything was recorded before `as_of`."""
        tables = [self._opened.table(name) for name in (transactions.NAME, customers.NAME)]
        known = [
            self.collect(table.filter(table[RECORDED_AT] < as_of).select("customer").distinct())[
                "customer"
            ]
            for table in tables
        ]
        return pd.DataFrame(
            {
                "customer": np.unique(np.concatenate(known)),
                "as_of": pd.Timestamp(as_of).as_unit("us"),
            }
        )
