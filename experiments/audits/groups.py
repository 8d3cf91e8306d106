"""To which group each customer belongs, for the fairness audit alone: read under its own purpose,
of those who agreed to it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.shop.shop import Shop
from features.warehouse.gate import Gate
from models.churn.rows import ChurnRows

Names = NDArray[np.str_]
NOT_KNOWN = ""
OTHERS = "others"
PREFIX = "fair"
AUDITED_ON = PREFIX
"""Tag of a version: what it was audited by, or why it was not."""
FIGURE = re.compile(
    rf"{PREFIX}\.(?P<attribute>.+)\.(?P<measure>auc|calibration|selection|recall)\.(?P<end>gap|low|high)"
)


@dataclass(frozen=True)
class Gap:
    """The largest difference between two groups in one measure, with its interval."""

    attribute: str
    measure: str
    gap: float
    low: float
    high: float


@dataclass(frozen=True)
class Groups:
    """By attribute, the group of each customer at each moment: indexed by (customer, as_of).

    Who is missing did not agree to the audit.
    """

    by_attribute: Mapping[str, pd.Series]

    @classmethod
    def constant(cls, attribute: str, group_of: pd.Series, spine: pd.DataFrame) -> Groups:
        """Groups that never change: `group_of` is indexed by customer."""
        groups = group_of.reindex(spine["customer"]).to_numpy()
        found = pd.Series(
            groups, index=pd.MultiIndex.from_frame(spine[["customer", "as_of"]])
        ).dropna()
        return cls({attribute: found[~found.index.duplicated()]})

    @property
    def customers(self) -> frozenset[int]:
        """Whose groups are known."""
        return frozenset().union(
            *(found.index.get_level_values("customer") for found in self.by_attribute.values())
        )

    def at(self, spine: pd.DataFrame) -> dict[str, Names]:
        """By attribute the groups (rows,) of the rows of `spine` (customer, as_of); an empty name
        where a group is not known.
        """
        asked = pd.MultiIndex.from_frame(spine[["customer", "as_of"]])
        return {
            name: found.reindex(asked).fillna(NOT_KNOWN).to_numpy("str")
            for name, found in self.by_attribute.items()
        }

    def of(self, rows: ChurnRows) -> dict[str, Names]:
        """The same for rows of the churn model."""
        return self.at(spine_of_rows(rows))


def spine_of_rows(rows: ChurnRows) -> pd.DataFrame:
    """Whose rows these are, and of which moment: customer, as_of."""
    return pd.DataFrame({"customer": rows.customer, "as_of": rows.as_of})


def audited_groups(shop: Shop, spine: pd.DataFrame) -> Groups:
    """The attributes that `[audit]` names, at the moments of `spine` (customer, as_of), through the
    audit's own gate.
    """
    gate = shop.gate(shop.config.audit.purpose)
    return _groups(gate, shop, spine)


def groups_to_weigh(shop: Shop, spine: pd.DataFrame) -> Groups | None:
    """The same for training that weighs groups: under the purpose stated for that, None where none
    is.
    """
    purpose = shop.config.audit.mitigation_purpose
    return None if purpose is None else _groups(shop.gate(purpose), shop, spine)


def _groups(gate: Gate, shop: Shop, spine: pd.DataFrame) -> Groups:
    asked = spine[["customer", "as_of"]].drop_duplicates()
    readable = [name for name in shop.config.audited if gate.may_read((name,))]
    return Groups(
        {
            name: _values(gate, name, asked)
            for name in readable
            if shop.warehouse.has(name.partition(".")[0])
        }
    )


def _values(gate: Gate, field: str, spine: pd.DataFrame) -> pd.Series:
    column = field.partition(".")[2]
    found = gate.collect(gate.rows((field,), spine)).dropna(subset=[column])
    return found.set_index(["customer", "as_of"])[column].astype("str")


def pooled(groups: Names, fewest: int) -> Names:
    """Groups with fewer rows than `fewest` as one, `others`; not known where even that is too
    small.
    """
    names, counts = np.unique(groups, return_counts=True)
    small = np.isin(groups, names[(counts < fewest) & (names != NOT_KNOWN)])
    together = OTHERS if small.sum() >= fewest else NOT_KNOWN
    return np.where(small, together, groups)


def fairness_gaps(metrics: Mapping[str, float]) -> list[Gap]:
    """The gaps that a run states."""
    stated: dict[tuple[str, str], dict[str, float]] = {}
    for name, value in metrics.items():
        if found := FIGURE.fullmatch(name):
            stated.setdefault((found["attribute"], found["measure"]), {})[found["end"]] = value
    return [
        Gap(*whose, ends["gap"], ends["low"], ends["high"])
        for whose, ends in stated.items()
        if len(ends) == 3
    ]
