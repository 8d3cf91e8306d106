"""The members of the churn teacher: models that err in different ways, and their joint answer.

Trees learn most from many customers; two logistic regressions, one on all features and one on
recency, frequency and value, do better with few. Both learn from who came back. A buy-till-you-die
model does not, and does best where customers order as it assumes: at random or regularly, until
they are gone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import lightgbm
import numpy as np

from models.arrays import Floats
from models.churn.boosting import Growth, boost, growing
from models.churn.logistic import LogisticMember, fit_logistic
from models.churn.rows import ChurnRows
from models.churn.settings import ChurnSettings, ChurnTask
from models.parallel import in_parallel
from models.repeat_orders.buy_till_you_die import BuyTillYouDie, fit_buy_till_you_die
from models.trees.quantising import rounded


@dataclass(frozen=True)
class BlendWeights:
    """Weight of the `logistic` regressions beside the trees, and of a buy-till-you-die `process`
    beside both; the others share the rest of 1.

    `regularity` says which process it is.
    """

    logistic: float = 0.5
    process: float = 0.25
    regularity: int = 1


@dataclass(frozen=True)
class Said:
    """Log-odds of churn by each kind of member: `trees` (rows,) or (steps, rows), `logistic`
    (rows,), and `processes` (rows,) by regularity.

    The latter are `NaN` where order times are withheld: the others then answer alone, as
    where there is no such process.
    """

    trees: Floats
    logistic: Floats
    processes: Mapping[int, Floats]

    def together(self, weights: BlendWeights) -> Floats:
        """What they say together, shaped as `trees`."""
        learnt = (1 - weights.logistic) * self.trees + weights.logistic * self.logistic
        process = self.processes.get(weights.regularity)
        if process is None or not weights.process:
            return learnt
        return np.where(
            np.isnan(process), learnt, (1 - weights.process) * learnt + weights.process * process
        )


@dataclass(frozen=True)
class Members:
    """Fitted members."""

    trees: lightgbm.Booster
    logistic: Sequence[LogisticMember]
    processes: Mapping[int, BuyTillYouDie]

    def said(self, features: Floats) -> Said:
        """What each says of features (rows, features)."""
        return self._said(
            np.asarray(self.trees.predict(rounded(features), raw_score=True)), features
        )

    def said_growing(self, features: Floats, step: int) -> Said:
        """The same, but by the trees while they grow, in steps of so many more of them."""
        return self._said(growing(self.trees, features, step), features)

    def _said(self, by_trees: Floats, features: Floats) -> Said:
        by_logistic = np.asarray(
            np.mean([member.log_odds(features) for member in self.logistic], axis=0),
            dtype=np.float64,
        )
        return Said(
            by_trees,
            by_logistic,
            {
                regularity: process.log_odds(features)
                for regularity, process in self.processes.items()
            },
        )

    @property
    def hearing_all(self) -> Members:
        """Those of them that hear of every feature."""
        return replace(self, logistic=self.logistic[:1], processes={})


def fit_members(
    rows: ChurnRows,
    task: ChurnTask,
    settings: ChurnSettings,
    trees: int,
    now: Floats,
    regularities: Sequence[int],
) -> Members:
    """Fit so many `trees`, and the logistic regressions, on `rows`; the processes are fitted to the
    customers who will be forecast, by their features `now`.
    """
    booster = boost(
        task.features,
        rows.features,
        rows.labels,
        rows.weights,
        "binary",
        growth(settings, trees),
        settings,
        task.definitions,
    )
    logistic = fit_logistic(
        task.features, rows.features, rows.labels, rows.weights, settings.line_strength
    )
    processes = in_parallel(
        partial(fit_buy_till_you_die, task.features, now, task.horizon_days), regularities
    )
    known = {
        regularity: process
        for regularity, process in zip(regularities, processes, strict=True)
        if process is not None
    }
    return Members(booster, logistic, known)


def growth(settings: ChurnSettings, trees: int) -> Growth:
    """How trees grow on outcomes, which are nearly all chance: small, slowly, and each leaf leaning
    on its parent.
    """
    return Growth(
        trees, settings.leaves, settings.learning_rate, settings.rows_per_leaf, settings.smoothing
    )
