"""What to expect of a customer within the horizon beside whether they leave: how many orders, of
what value, and when the next.

Each is a small LightGBM model of the same features as churn, trained with the same masks, so that
it answers under every consent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path

import lightgbm
import numpy as np

from models.arrays import Floats
from models.trees.quantising import rounded


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

    orders: lightgbm.Booster
    value: lightgbm.Booster | None
    days_to_next_order: lightgbm.Booster
    horizon_days: int

    def expected(self, features: Floats) -> Expected:
        """What to expect of one customer, from `features` (1, features), `NaN` where withheld."""
        row = rounded(features)
        orders, value, days = (
            None if booster is None else float(np.asarray(booster.predict(row, num_threads=1))[0])
            for booster in (self.orders, self.value, self.days_to_next_order)
        )
        return Expected(
            max(orders or 0.0, 0.0),
            None if value is None else max(value, 0.0),
            min(max(days or 0.0, 0.0), self.horizon_days),
        )

    def save(self, folder: Path) -> None:
        """Write each booster's text."""
        for name, booster in self._boosters().items():
            booster.save_model(folder / _file(name))

    @classmethod
    def load(cls, folder: Path, horizon_days: int) -> Outlook | None:
        """Read what `save` wrote; None where there is none."""
        found = {name: folder / _file(name) for name in NAMES if (folder / _file(name)).exists()}
        read = {name: lightgbm.Booster(model_file=file) for name, file in found.items()}
        if "orders" not in read:
            return None
        return cls(read["orders"], read.get("value"), read["days_to_next_order"], horizon_days)

    def _boosters(self) -> dict[str, lightgbm.Booster]:
        return {name: booster for name in NAMES if (booster := getattr(self, name)) is not None}


NAMES = tuple(field.name for field in fields(Expected))
OBJECTIVES = {"orders": "poisson", "value": "tweedie", "days_to_next_order": "regression"}
"""What each is fitted as: counts, amounts that are often nothing, and a time."""
FEWEST_KNOWN = 50
Boost = Callable[[str, Floats], lightgbm.Booster]


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
