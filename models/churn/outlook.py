"""What to expect of a customer within the horizon beside whether they leave: how many orders, of
what value, and when the next.

Each is a small LightGBM model of the same features as churn, trained with the same masks, so that
it answers under every consent.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path

import numpy as np

from models.arrays import Floats
from models.trees.booster import Booster
from models.trees.quantising import rounded
from models.trees.scores import TreeScores


@dataclass(frozen=True)
class Expected:
    """Of one customer within the horizon: days with an order, their value in the shop's currency,
    and the wait for the next one.

    `days_to_next_order` is what to expect should there be one within the horizon.
    """

    orders: float
    value: float | None
    days_to_next_order: float


@dataclass(frozen=True)
class Outlook:
    """A booster for each expectation; `value` is None where nobody's amounts could be learnt
    from.
    """

    orders: Booster
    value: Booster | None
    days_to_next_order: Booster
    horizon_days: int

    def expected(self, features: Floats) -> Expected:
        """What to expect of one customer, from `features` (1, features), `NaN` where withheld."""
        row = rounded(features)
        said = {name: float(scores.of(row)[0]) for name, scores in self._scores.items()}
        return Expected(
            orders=math.exp(said["orders"]),
            value=math.exp(said["value"]) if "value" in said else None,
            days_to_next_order=min(max(said["days_to_next_order"], 0.0), self.horizon_days),
        )

    def values(self, features: Floats) -> Floats:
        """What to expect of several customers' orders in money (rows,), from `features` (rows,
        features); `NaN` where nobody's amounts could be learnt from.
        """
        if self.value is None:
            return np.full(len(features), np.nan)
        return np.asarray(np.exp(self._scores["value"].of(rounded(features))), dtype=np.float64)

    @cached_property
    def _scores(self) -> Mapping[str, TreeScores]:
        return {name: TreeScores(booster) for name, booster in self._boosters().items()}

    def save(self, folder: Path) -> None:
        """Write each booster's text."""
        for name, booster in self._boosters().items():
            booster.save_model(folder / _file(name))

    @classmethod
    def load(cls, folder: Path, horizon_days: int) -> Outlook | None:
        """Read what `save` wrote; None where there is none."""
        found = {name: folder / _file(name) for name in NAMES if (folder / _file(name)).exists()}
        read = {name: Booster.read(file) for name, file in found.items()}
        if "orders" not in read:
            return None
        return cls(read["orders"], read.get("value"), read["days_to_next_order"], horizon_days)

    def _boosters(self) -> dict[str, Booster]:
        return {name: booster for name in NAMES if (booster := getattr(self, name)) is not None}


NAMES = tuple(field.name for field in fields(Expected))
OBJECTIVES = {"orders": "poisson", "value": "tweedie", "days_to_next_order": "regression"}
"""What each is fitted as: counts, amounts that are often nothing, and a time. The first two are
learnt on the logarithm, so a score is turned back by `exp`.
"""
FEWEST_KNOWN = 50
Boost = Callable[[str, Floats], Booster]


def fit_outlook(futures: Floats, horizon_days: int, boost: Boost) -> Outlook | None:
    """Learn from `futures` (rows, 3), in the order of `NAMES`; `boost` trains for an objective on
    targets, `NaN` where not known.

    None where too few customers ordered again to expect anything of others.
    """
    targets = dict(zip(NAMES, futures.T, strict=True))
    told = {
        name: target
        for name, target in targets.items()
        if np.isfinite(target).sum() >= FEWEST_KNOWN and np.nansum(target) > 0
    }
    made = {name: boost(OBJECTIVES[name], target) for name, target in told.items()}
    if not {"orders", "days_to_next_order"} <= set(made):
        return None
    return Outlook(made["orders"], made.get("value"), made["days_to_next_order"], horizon_days)


def _file(name: str) -> str:
    return f"expected_{name}.txt"
