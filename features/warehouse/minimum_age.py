"""Who is too young for anything to be made of their data, by what the shop knows of their age.

Not a matter of consent: a grant of somebody below the age set in sayso.toml does not count.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import pandas as pd
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.clock import Clock
from features.tables.ages import age_at_least
from features.tables.declared import customers
from features.tables.table import CUSTOMER, RECORDED_AT
from features.warehouse.store import Warehouse

Known = tuple[object, Mapping[int, str]]


class MinimumAge:
    """The rule of one shop: who is younger than `years` is withheld, and with `withhold_unknown`
    also who may be, since nobody knows their age. Without `years` nobody is.
    """

    def __init__(
        self, warehouse: Warehouse, clock: Clock, years: int | None, *, withhold_unknown: bool
    ) -> None:
        self._warehouse = warehouse
        self._clock = clock
        self._years = years
        self._withhold_unknown = withhold_unknown
        self._known: Known = (None, {})

    def withholds(self, customer: int) -> bool:
        """Whether nothing may be made of a customer's data today."""
        if self._years is None:
            return False
        said = self._born().get(customer)
        age = None if said is None else age_at_least(said, self._clock().date())
        return self._withhold_unknown if age is None else age < self._years

    def admitted(self, granted: pd.DataFrame) -> pd.DataFrame:
        """The grants (customer, ...) of who is not withheld."""
        if self._years is None or granted.empty:
            return granted
        out = self._withheld(granted[CUSTOMER].unique().tolist(), self._clock().date())
        return granted[~granted[CUSTOMER].isin(out)] if out else granted

    def _withheld(self, customers: list[int], today: date) -> list[int]:
        born, years = self._born(), self._years or 0
        ages = {text: age_at_least(text, today) for text in {*born.values()}}
        known = {customer: ages[text] for customer, text in born.items()}
        return [
            customer
            for customer in customers
            if (self._withhold_unknown if (age := known.get(customer)) is None else age < years)
        ]

    def _born(self) -> Mapping[int, str]:
        """What is known last of when each customer was born, read anew once the file changed."""
        if not self._warehouse.filled or not self._warehouse.has(customers.NAME):
            return {}
        state = tuple(
            (str(file), file.stat().st_ino, file.stat().st_mtime_ns)
            for file in self._warehouse.files(customers.NAME)
        )
        if self._known[0] != state:
            self._known = (state, self._read())
        return self._known[1]

    def _read(self) -> dict[int, str]:
        files = self._warehouse.files(customers.NAME)
        if customers.BORN not in pq.read_schema(files[0]).names:
            return {}
        rows = pq.read_table(files, columns=[CUSTOMER, customers.BORN, RECORDED_AT])
        stated = rows.filter(pc.is_valid(rows[customers.BORN])).sort_by(RECORDED_AT)
        columns = (stated[CUSTOMER].to_numpy().tolist(), stated[customers.BORN].to_pylist())
        return {int(customer): str(text) for customer, text in zip(*columns, strict=True)}
