"""Backtests: forecasts made ahead of time within the past. How they came true decides how the
members of the teacher are blended.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from features.errors import TrainingError
from models.arrays import Floats
from models.churn.calibration import best_slope, loss_within_periods
from models.churn.ensemble import BlendWeights, Said, fit_members
from models.churn.rows import ChurnRows
from models.churn.settings import FEWEST_CUSTOMERS, ChurnSettings, ChurnTask
from models.repeat_orders.buy_till_you_die import REGULARITIES

FOLDS = 3
MOST_TRIALS = 3
LOGISTIC_SHARES = (0.0, 0.25, 0.5, 0.75)
PROCESS_SHARES = (0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class Blend:
    """How many trees grow, the `weights` of the members, and the `slope` of their joint answer."""

    trees: int
    weights: BlendWeights = field(default_factory=BlendWeights)
    slope: float = 1.0


@dataclass(frozen=True)
class Backtest:
    """What was `said` of rows by the first trees, in steps of `step` more of them, and the `labels`
    (rows,) that came true.
    """

    said: Said
    labels: Floats
    step: int

    def by(self, blend: Blend) -> tuple[Floats, Floats]:
        """Log-odds (rows,) by this blend but for its slope, and labels.

        Trees that stopped growing earlier say what they said last.
        """
        steps = min(blend.trees // self.step, len(self.said.trees))
        return (
            replace(self.said, trees=self.said.trees[steps - 1]).together(blend.weights),
            self.labels,
        )


def best_weights(rows: ChurnRows, task: ChurnTask, settings: ChurnSettings) -> Blend:
    """The blend that predicts best for rows not learnt from; a moderate one where there are too few
    to try.

    A slope found in few trials is believed little: of n it is drawn towards 1 as by one more that
    found 1.
    """
    backtests = list(_backtests(rows, task, settings))
    if not backtests:
        return Blend(settings.most_trees // 3)
    best = best_of(backtests, settings)
    slope = best_slope([one.by(best) for one in backtests])
    return replace(best, slope=(len(backtests) * slope + 1) / (len(backtests) + 1))


def backtest_loss(rows: ChurnRows, task: ChurnTask, settings: ChurnSettings) -> float:
    """Log loss of forecasts made ahead of time within `rows`, by the blend that does best: by this,
    settings are compared.

    Raises `TrainingError` where the history is too short to try anything.
    """
    backtests = list(_backtests(rows, task, settings))
    if not backtests:
        raise TrainingError(
            "the history is too short to try settings on: no forecast in it could be checked."
            " Load more history."
        )
    return float(_losses(best_of(backtests, settings), backtests).mean())


def best_of(backtests: Sequence[Backtest], settings: ChurnSettings) -> Blend:
    """The best of those that learn, and which process it is to hear beside, how far: only where
    that betters every trial.
    """
    steps = range(settings.tree_step, settings.most_trees + settings.tree_step, settings.tree_step)
    learning = [
        Blend(trees, BlendWeights(share, 0.0)) for trees in steps for share in LOGISTIC_SHARES
    ]
    best = min(learning, key=lambda blend: _losses(blend, backtests).mean())
    hearing = [
        replace(best, weights=replace(best.weights, process=share, regularity=k))
        for k in REGULARITIES
        for share in PROCESS_SHARES
    ]
    losses = {blend: _losses(blend, backtests) for blend in (best, *hearing)}
    better = [blend for blend, found in losses.items() if (found <= losses[best]).all()]
    return min(better, key=lambda blend: losses[blend].mean())


def _losses(blend: Blend, backtests: Sequence[Backtest]) -> Floats:
    """Log loss of each trial (trials,)."""
    return np.array([loss_within_periods(1.0, [one.by(blend)]) for one in backtests])


def _backtests(rows: ChurnRows, task: ChurnTask, settings: ChurnSettings) -> Iterator[Backtest]:
    """One for each trial."""
    generator = np.random.default_rng(settings.seed)
    for learnt, met in trials(rows, task.horizon_days, settings.seed):
        judged = enough(met, settings.most_judged, generator)
        rows_learnt = enough(learnt, settings.most_rows, generator)
        members = fit_members(
            rows_learnt, task, settings, settings.most_trees, judged.features, REGULARITIES
        )
        yield Backtest(
            members.said_growing(judged.features, settings.tree_step),
            judged.labels,
            settings.tree_step,
        )


def trials(rows: ChurnRows, horizon_days: int, seed: int) -> Iterator[tuple[ChurnRows, ChurnRows]]:
    """Pairs (rows to learn from, rows to judge by): in time order, or by customers where all rows
    are of one moment.
    """
    pairs = (
        _ahead_of_time(rows, horizon_days)
        if len(np.unique(rows.as_of)) > 1
        else _by_customers(rows, seed)
    )
    for learnt, judged in pairs:
        if (
            min(len(np.unique(learnt.labels)), len(np.unique(judged.labels))) == 2
            and len(learnt.labels) >= FEWEST_CUSTOMERS
        ):
            yield learnt, judged


def _ahead_of_time(rows: ChurnRows, horizon_days: int) -> Iterator[tuple[ChurnRows, ChurnRows]]:
    """What was known by a moment, and what came after it, at the newest moments."""
    horizon = np.timedelta64(horizon_days, "D")
    for moment in np.unique(rows.as_of)[::-1][:MOST_TRIALS]:
        yield rows.at(rows.as_of + horizon <= moment), rows.at(rows.as_of == moment)


def _by_customers(rows: ChurnRows, seed: int) -> Iterator[tuple[ChurnRows, ChurnRows]]:
    """Each third of the rows judged by the other two."""
    fold = np.random.default_rng(seed).permutation(len(rows.labels)) % FOLDS
    for part in range(FOLDS):
        yield rows.at(fold != part), rows.at(fold == part)


def enough(rows: ChurnRows, most: int, generator: np.random.Generator) -> ChurnRows:
    """All rows, or `most` of them drawn at random: more than that cost time and teach nothing."""
    if len(rows.labels) <= most:
        return rows
    chosen = np.zeros(len(rows.labels), dtype=bool)
    chosen[generator.choice(len(rows.labels), most, replace=False)] = True
    return rows.at(chosen)
