"""What of a customer's features an answer may use: the one place where an answer withholds.

A row of the online store holds what was granted when it was made. Grants run out, notices change,
and a row may have been made a moment before a withdrawal. So an answer takes it through `allow`,
once, under the permissions that were read with the decision; what is made of the row afterwards
needs no mask any more.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import numpy as np

from features.catalog import Catalog
from features.definitions.frames import are_of_looks
from features.definitions.needs import Needs, needs_of
from features.shop.online import Layout, OnlineRow


@dataclass(frozen=True)
class Withholding:
    """The rule for rows of one layout: `needs` names the categories that each feature needs, and
    `entries` those that have to be granted before it may be known which products were bought at
    all.
    """

    layout: Layout
    needs: Needs
    entries: frozenset[str] = frozenset()

    @classmethod
    def declared(cls, catalog: Catalog, layout: Layout) -> Withholding:
        """The rule as the catalog declares it."""
        return cls(layout, needs_of(catalog, (*layout.customer, *layout.history)))

    def also(
        self, needs: Mapping[str, AbstractSet[str]], entries: AbstractSet[str] = frozenset()
    ) -> Withholding:
        """The stricter rule by which a feature has to fulfil `needs` too, such as those that a
        model was trained under.
        """
        both = {name: need | needs.get(name, frozenset()) for name, need in self.needs.items()}
        return Withholding(self.layout, both, self.entries | entries)

    def entries_allowed(self, granted: AbstractSet[str]) -> bool:
        """Whether it may be known which products were bought, or are in a basket."""
        return self.entries <= granted

    def allow(self, row: OnlineRow, granted: AbstractSet[str]) -> OnlineRow:
        """The row as it is for somebody who grants only these categories: `NaN` for a feature of
        which one is missing, and no products where none of their columns is left.

        What may be known of looks at products is not hidden along with purchases.
        """
        customer, history = (
            np.array([self.needs[name] <= granted for name in names], dtype=bool)
            for names in (self.layout.customer, self.layout.history)
        )
        looks = are_of_looks(self.layout.history)
        history &= looks | self.entries_allowed(granted)
        columns = np.where(history, row.columns, np.nan)
        told = np.full(len(columns), history.any())
        if looks.any():
            told = np.asarray(~np.isnan(columns).all(axis=1))
        known = np.flatnonzero(told)
        return OnlineRow(
            row.as_of,
            np.where(customer, row.customer, np.nan),
            tuple(row.products[position] for position in known),
            columns[known],
        )
