"""Trees of customer features, which may not contradict what common sense knows of their
direction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import lightgbm
import numpy as np

from features.definitions.definitions import STANDARD, Definitions
from models.arrays import Floats
from models.churn.settings import ChurnSettings
from models.trees.quantising import rounded

SIGNS = {"binary": 1, "cross_entropy": 1, "poisson": -1, "tweedie": -1, "regression": 0}
"""Orders and their value move against churn; when the next order comes follows no such rule."""


@dataclass(frozen=True)
class Growth:
    """How trees grow: how many, of what size, and how much each leaf leans on its parent
    (`smoothing`), the more, the fewer rows it has.
    """

    trees: int
    leaves: int
    learning_rate: float
    rows_per_leaf: int
    smoothing: float = 0.0


def boost(
    names: Sequence[str],
    features: Floats,
    target: Floats,
    weights: Floats,
    objective: str,
    growth: Growth,
    settings: ChurnSettings,
    definitions: Definitions | None = STANDARD,
) -> lightgbm.Booster:
    """Boost on `features` (rows, names), `NaN` where withheld, towards `target` (rows,); the same
    in gives the same trees.

    No tree contradicts the direction that `definitions` declare of a feature; without any, all are
    free. Raises `FeatureError` for a name that they do not declare.
    """
    signs = [0 if definitions is None else definitions.feature(name).sign for name in names]
    parameters = {
        "objective": objective,
        "num_leaves": growth.leaves,
        "learning_rate": growth.learning_rate,
        "min_data_in_leaf": growth.rows_per_leaf,
        "path_smooth": growth.smoothing,
        "lambda_l2": settings.l2,
        "feature_fraction": settings.feature_share,
        "monotone_constraints": [SIGNS[objective] * sign for sign in signs],
        "seed": settings.seed,
        "num_threads": settings.threads,
        "deterministic": True,
        "force_row_wise": True,
        "verbose": -1,
    }
    data = lightgbm.Dataset(
        rounded(features), target, weight=weights, feature_name=list(names), params={"verbose": -1}
    )
    return lightgbm.train(parameters, data, num_boost_round=growth.trees)


def growing(booster: lightgbm.Booster, features: Floats, step: int) -> Floats:
    """Raw scores (steps, rows) by the first trees, in steps of so many more of them."""
    rows = rounded(features)
    parts = [
        booster.predict(rows, raw_score=True, start_iteration=at, num_iteration=step)
        for at in range(0, booster.num_trees(), step)
    ]
    return np.cumsum(np.asarray(parts, dtype=np.float64), axis=0)
