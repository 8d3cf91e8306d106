"""What the churn model has to learn, and how it is trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from features.definitions.definitions import STANDARD, Definitions
from models.masking import Masking

FEWEST_CUSTOMERS = 50


@dataclass(frozen=True)
class ChurnTask:
    """What to learn: from which `features`, under which `masking`, over which horizon (0 where a
    label says who left).

    `definitions` declare the features; None where these are columns of a table of the user's own,
    of which nobody said which way they point.
    """

    features: tuple[str, ...]
    masking: Masking
    category_of: Mapping[str, str]
    horizon_days: int
    definitions: Definitions | None = STANDARD


@dataclass(frozen=True)
class ChurnSettings:
    """How the churn model is trained: the teachers by the settings up to `outlook_trees`, the
    students by those from `taught_leaves` on.

    One thread grows trees as small as these in a quarter to three quarters of the time that two
    take, which wait for each other.
    """

    leaves: int = 7
    learning_rate: float = 0.03
    most_trees: int = 300
    tree_step: int = 25
    rows_per_leaf: int = 200
    smoothing: float = 200.0
    l2: float = 10.0
    feature_share: float = 0.6
    line_strength: float = 0.01
    most_rows: int = 100_000
    most_judged: int = 50_000
    outlook_trees: int = 150
    taught_leaves: int = 15
    taught_learning_rate: float = 0.1
    taught_trees: int = 200
    taught_rows_per_leaf: int = 20
    fewest_taught: int = 3_000
    most_taught: int = 20_000
    masked_copies: int = 4
    masked_rows: int = 100_000
    granted_weight: float = 0.75
    seed: int = 7
    threads: int = 1
