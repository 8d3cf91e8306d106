"""The teacher of the churn model: the best forecast that there is for who shares everything.

Trees, and beside them two lines, one on all features and one on recency, frequency and value: where they differ, the truth
mostly lies between, and how far is found out by forecasts made ahead of time. Of many customers trees learn all there is, of few
the lines know better. Nobody is answered by the teacher; `models.churn_training` has a student learn to say the same with less.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import lightgbm
import numpy as np
from scipy.special import expit

from features.errors import TrainingError
from models.calibration import best_slope, loss_within_periods, shift_to
from models.churn_rows import ChurnRows
from models.churn_settings import FEWEST_CUSTOMERS, ChurnSettings, ChurnTask
from models.churn_trees import Growth, boost, growing
from models.lines import Line, fit_lines
from models.masking import Floats
from models.precision import rounded

Forecast = tuple[Floats, Floats]
FOLDS = 3
MOST_TRIALS = 3
LINE_SHARES = (0.0, 0.25, 0.5, 0.75)


@dataclass(frozen=True)
class Size:
    """What is found out by forecasts made ahead of time: how many trees, what `share` of the answer the lines have, and its `slope`."""

    trees: int
    share: float = 0.5
    slope: float = 1.0


@dataclass(frozen=True)
class Teacher:
    """Trees and lines that were fitted on the same rows, how they answer together (`size`), and the level of the answers."""

    trees: lightgbm.Booster
    lines: Sequence[Line]
    size: Size
    level: float = 0.0

    def log_odds(self, features: Floats) -> Floats:
        """Calibrated log-odds of churn (rows,)."""
        by_trees = np.asarray(self.trees.predict(rounded(features), raw_score=True))
        return self.size.slope * _together(by_trees, _by_lines(self.lines, features), self.size.share) + self.level

    def probability(self, features: Floats) -> Floats:
        """Calibrated probability of churn (rows,)."""
        return np.asarray(expit(self.log_odds(features)))


def fit_teacher(rows: ChurnRows, task: ChurnTask, settings: ChurnSettings, size: Size, today: Floats | None = None) -> Teacher:
    """Fit on `rows`; the level is that of the rows as they are, whatever their emphasis.

    With the features of `today` (customers, features) it is what those members foretell of them that hear of every feature. Customers
    grow older, and recency, frequency and value do not say how old.
    """
    rows = enough(rows, settings.most_rows, np.random.default_rng(settings.seed))
    trees, lines = _fit(rows, task, settings, size.trees)
    weights = replace(rows, emphasis=None).weights
    left = float(np.average(rows.labels, weights=weights))
    if today is None:
        return _leveled(trees, lines, size, rows.features, left, weights)
    hearing_all = _leveled(trees, lines[:1], size, rows.features, left, weights)
    return _leveled(trees, lines, size, today, float(hearing_all.probability(today).mean()))


def _leveled(
    trees: lightgbm.Booster, lines: Sequence[Line], size: Size, features: Floats, left: float, weights: Floats | None = None
) -> Teacher:
    """A teacher whose mean answer for `features` (rows, features) is `left`."""
    teacher = Teacher(trees, lines, size)
    return replace(teacher, level=shift_to(teacher.log_odds(features), left, weights))


def _fit(rows: ChurnRows, task: ChurnTask, settings: ChurnSettings, trees: int) -> tuple[lightgbm.Booster, tuple[Line, ...]]:
    booster = boost(task.features, rows.features, rows.labels, rows.weights, "binary", growth(settings, trees), settings)
    return booster, fit_lines(task.features, rows.features, rows.labels, rows.weights, settings.line_strength)


def growth(settings: ChurnSettings, trees: int) -> Growth:
    """How trees grow on outcomes, which are nearly all chance: small, slowly, and each leaf leaning on its parent."""
    return Growth(trees, settings.leaves, settings.learning_rate, settings.rows_per_leaf, settings.smoothing)


def _by_lines(lines: Sequence[Line], features: Floats) -> Floats:
    """The mean log-odds (rows,) of the lines."""
    return np.asarray(np.mean([line.log_odds(features) for line in lines], axis=0), dtype=np.float64)


def _together(by_trees: Floats, by_lines: Floats, share: float) -> Floats:
    """Log-odds (rows,) of which the lines have this share."""
    return (1 - share) * by_trees + share * by_lines


def foretold_loss(rows: ChurnRows, task: ChurnTask, settings: ChurnSettings) -> float:
    """Log loss of forecasts made ahead of time within `rows`, with as many trees as do best: by this, settings are compared.

    Raises `TrainingError` where the history is too short to try anything.
    """
    tries = _foretold(rows, task, settings)
    if not tries:
        raise TrainingError("the history is too short to try settings on: nothing could be foretold and then seen. Load more history.")
    return min(map(_loss, tries.values()))


def best_size(rows: ChurnRows, task: ChurnTask, settings: ChurnSettings) -> Size:
    """The size that predicts best for rows not learnt from; a moderate one where there are too few to try.

    A slope found in few trials is believed little: of n it is drawn towards 1 as by one more that found 1.
    """
    tries = _foretold(rows, task, settings)
    if not tries:
        return Size(settings.most_trees // 3)
    best = min(tries, key=lambda size: _loss(tries[size]))
    count = len(tries[best])
    return replace(best, slope=(count * best_slope(tries[best]) + 1) / (count + 1))


def _loss(forecasts: Sequence[Forecast]) -> float:
    return loss_within_periods(1.0, forecasts)


def _foretold(rows: ChurnRows, task: ChurnTask, settings: ChurnSettings) -> dict[Size, list[Forecast]]:
    """For each size, the forecasts made ahead of time: (raw scores, labels), one a trial."""
    generator = np.random.default_rng(settings.seed)
    tries: dict[Size, list[Forecast]] = {}
    for learnt, met in trials(rows, task.horizon_days, settings.seed):
        judged = enough(met, settings.most_judged, generator)
        trees, lines = _fit(enough(learnt, settings.most_rows, generator), task, settings, settings.most_trees)
        by_lines = _by_lines(lines, judged.features)
        for step, by_trees in enumerate(growing(trees, judged.features, settings.tree_step), start=1):
            for share in LINE_SHARES:
                tries.setdefault(Size(step * settings.tree_step, share), []).append((_together(by_trees, by_lines, share), judged.labels))
    return tries


def trials(rows: ChurnRows, horizon_days: int, seed: int) -> Iterator[tuple[ChurnRows, ChurnRows]]:
    """Pairs (rows to learn from, rows to judge by): in time order, or by customers where all rows are of one moment."""
    pairs = _ahead_of_time(rows, horizon_days) if len(np.unique(rows.as_of)) > 1 else _by_customers(rows, seed)
    for learnt, judged in pairs:
        if min(len(np.unique(learnt.labels)), len(np.unique(judged.labels))) == 2 and len(learnt.labels) >= FEWEST_CUSTOMERS:
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
