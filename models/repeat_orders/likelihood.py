"""Maximum likelihood for models of repeat orders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any, Protocol, TypeVar

import numpy as np
from scipy.optimize import minimize

from features.errors import TrainingError
from models.arrays import Floats
from models.repeat_orders.recency_frequency import RepeatOrders

START = 0.3
WIDEST = 5.0
"""Parameters are looked for between exp(-5) and exp(5): beyond them no likelihood changes that
could be told apart.
"""
NEAR = 1e-5
"""The search ends where a step betters the likelihood by a smaller part than this."""


class Likely(Protocol):
    """A model with positive parameters."""

    def log_likelihood(self, orders: RepeatOrders) -> Floats:
        """Of each customer, shape (customers,)."""


Model = TypeVar("Model", bound=Likely)


def maximised(
    kind: type[Model], in_days: Sequence[str], orders: RepeatOrders, **given: float
) -> Model:
    """The model of this `kind` under which `orders` are likeliest, with some parameters `given`;
    those `in_days` have a unit.

    Looked for among the logarithms of the parameters, with time in units of its mean. Raises
    `TrainingError` where nothing is found.
    """
    if not (orders.repeats > 0).any():
        raise TrainingError("no customer ordered twice, so there is no rhythm to learn")
    grouped = orders.grouped()
    unit = float(np.average(grouped.known, weights=grouped.counts)) or 1.0
    scaled = RepeatOrders(
        grouped.repeats, grouped.last / unit, grouped.known / unit, grouped.counts
    )
    names = [field.name for field in fields(kind) if field.name not in given]  # type: ignore[arg-type]  # every such model is a dataclass of its parameters

    def cost(logarithms: Any) -> float:
        model = kind(**given, **dict(zip(names, np.exp(logarithms).tolist(), strict=True)))
        # A step too far gives an infinite cost, and the search turns back.
        with np.errstate(all="ignore"):
            value = -float(np.average(model.log_likelihood(scaled), weights=scaled.counts))
        return value if np.isfinite(value) else 1e6

    limits, start = [(-WIDEST, WIDEST)] * len(names), np.full(len(names), np.log(START))
    best = minimize(cost, start, method="L-BFGS-B", bounds=limits, options={"ftol": NEAR})
    if best.fun >= 1e6:
        raise TrainingError("no parameters were found under which these orders are possible")
    found = dict(zip(names, np.exp(best.x).tolist(), strict=True))
    return kind(
        **given,
        **{name: value * unit if name in in_days else value for name, value in found.items()},
    )
