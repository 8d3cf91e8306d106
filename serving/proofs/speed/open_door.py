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
from features.warehouse.gate import BEGINNING, Gate


class OpenDoor(Gate):
    """Gives out the same rows as the gate, but of everybody and without asking for anything.

    It still looks back in time, as any feature run has to: whose features are asked for, and what
    was recorded before as_of.
    """

    def __init__(self, shop: Shop) -> None:
        nobody = pd.DataFrame({"customer": [], "category": [], "covers_from": []})
        super().__init__(
            shop.warehouse,
            shop.config.catalog,
            "",
            nobody,
            shop.clock(),
            tables=shop.workspace.tables,
        )

    def refuse_undeclared(self, fields: Collection[str]) -> None:
        """Nothing is refused."""

    def asked(self, _fields: Collection[str], spine: pd.DataFrame) -> pd.DataFrame:
        """Everybody, as far back as anything was recorded."""
        return spine.assign(covers_from=BEGINNING).astype({"covers_from": "datetime64[us]"})

    def _readable(self, table: str, _fields: Collection[str]) -> ibis.Table:
        """All rows, whatever their source."""
        return self._warehouse.table(table)

    def spine(self, as_of: datetime) -> pd.DataFrame:
        """Everybody of whom anything was recorded before `as_of`."""
        tables = [self._warehouse.table(name) for name in (transactions.NAME, customers.NAME)]
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
