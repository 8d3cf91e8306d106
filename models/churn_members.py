"""The members of the churn teacher: forecasters that err in different ways, and what they say together.

Trees learn all there is to learn of many customers; two lines, one on all features and one on recency, frequency and value, know
better of few. Both learn from who came back. An order process does not, and knows best where customers order at random until they
are gone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import lightgbm
import numpy as np

from models.churn_rows import ChurnRows
from models.churn_settings import ChurnSettings, ChurnTask
from models.churn_trees import Growth, boost, growing
from models.lines import Line, fit_lines
from models.masking import Floats
from models.order_process import OrderProcess, fit_order_process
from models.precision import rounded


@dataclass(frozen=True)
class Shares:
    """How far the `lines` are heard beside the trees, and the order `process` beside both; the rest of 1 is the others'."""

    lines: float = 0.5
    process: float = 0.25


@dataclass(frozen=True)
class Said:
    """Log-odds of churn by each kind of member: `trees` (rows,) or (steps, rows), `lines` (rows,), `process` (rows,).

    The last is `NaN` where no process is known, or order times are withheld: the others then speak alone.
    """

    trees: Floats
    lines: Floats
    process: Floats

    def together(self, shares: Shares) -> Floats:
        """What they say together, shaped as `trees`."""
        learnt = (1 - shares.lines) * self.trees + shares.lines * self.lines
        return np.where(np.isnan(self.process), learnt, (1 - shares.process) * learnt + shares.process * self.process)


@dataclass(frozen=True)
class Members:
    """Fitted members."""

    trees: lightgbm.Booster
    lines: Sequence[Line]
    process: OrderProcess | None

    def said(self, features: Floats) -> Said:
        """What each says of features (rows, features)."""
        by_trees = np.asarray(self.trees.predict(rounded(features), raw_score=True))
        return Said(by_trees, self._by_lines(features), self._by_process(features))

    def said_growing(self, features: Floats, step: int) -> Said:
        """The same, but by the trees while they grow, in steps of so many more of them."""
        return replace(self.said(features), trees=growing(self.trees, features, step))

    @property
    def hearing_all(self) -> Members:
        """Those of them that hear of every feature."""
        return replace(self, lines=self.lines[:1], process=None)

    def _by_lines(self, features: Floats) -> Floats:
        return np.asarray(np.mean([line.log_odds(features) for line in self.lines], axis=0), dtype=np.float64)

    def _by_process(self, features: Floats) -> Floats:
        return np.full(len(features), np.nan) if self.process is None else self.process.log_odds(features)


def fit_members(rows: ChurnRows, task: ChurnTask, settings: ChurnSettings, trees: int, now: Floats) -> Members:
    """So many trees, and lines, learn from `rows`; the process is that of the customers to be foretold, by their features `now`."""
    booster = boost(task.features, rows.features, rows.labels, rows.weights, "binary", growth(settings, trees), settings)
    lines = fit_lines(task.features, rows.features, rows.labels, rows.weights, settings.line_strength)
    return Members(booster, lines, fit_order_process(task.features, now, task.horizon_days))


def growth(settings: ChurnSettings, trees: int) -> Growth:
    """How trees grow on outcomes, which are nearly all chance: small, slowly, and each leaf leaning on its parent."""
    return Growth(trees, settings.leaves, settings.learning_rate, settings.rows_per_leaf, settings.smoothing)
