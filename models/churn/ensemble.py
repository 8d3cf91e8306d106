"""The members of the churn teacher: forecasters that err in different ways, and what they say
together.

Trees learn all there is to learn of many customers; two lines, one on all features and one on
recency, frequency and value, know better of few. Both learn from who came back. An order process
does not, and knows best where customers order as it has it: at random, or regularly, until they are
gone.
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
    """How far the `lines` are heard beside the trees, and an order `process` beside both; the rest
    of 1 is the others'.

    Which process it is, its `regularity` says.
    """

    lines: float = 0.5
    process: float = 0.25
    regularity: int = 1


@dataclass(frozen=True)
class Said:
    """Log-odds of churn by each kind of member: `trees` (rows,) or (steps, rows), `lines` (rows,),
    and `processes` (rows,) by regularity.

    These are `NaN` where order times are withheld: the others then speak alone, as where there is
    no such process.
    """

    trees: Floats
    lines: Floats
    processes: Mapping[int, Floats]

    def together(self, weights: BlendWeights) -> Floats:
        """What they say together, shaped as `trees`."""
        learnt = (1 - weights.lines) * self.trees + weights.lines * self.lines
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
    lines: Sequence[LogisticMember]
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
        by_lines = np.asarray(
            np.mean([line.log_odds(features) for line in self.lines], axis=0), dtype=np.float64
        )
        return Said(
            by_trees,
            by_lines,
            {
                regularity: process.log_odds(features)
                for regularity, process in self.processes.items()
            },
        )

    @property
    def hearing_all(self) -> Members:
        """Those of them that hear of every feature."""
        return replace(self, lines=self.lines[:1], processes={})


def fit_members(
    rows: ChurnRows,
    task: ChurnTask,
    settings: ChurnSettings,
    trees: int,
    now: Floats,
    regularities: Sequence[int],
) -> Members:
    """So many trees, and lines, learn from `rows`; the processes are those of the customers to be
    backtests, by their features `now`.
    """
    booster = boost(
        task.features,
        rows.features,
        rows.labels,
        rows.weights,
        "binary",
        growth(settings, trees),
        settings,
    )
    lines = fit_logistic(
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
    return Members(booster, lines, known)


def growth(settings: ChurnSettings, trees: int) -> Growth:
    """How trees grow on outcomes, which are nearly all chance: small, slowly, and each leaf leaning
    on its parent.
    """
    return Growth(
        trees, settings.leaves, settings.learning_rate, settings.rows_per_leaf, settings.smoothing
    )
