"""The teacher of the churn model: the best forecast that there is for who shares everything.

Its members differ, and mostly the truth lies between them; how far is found out by forecasts made
ahead of time. Nobody is answered by the teacher; `models.churn.training` has a student learn to say
the same with less.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import expit

from models.arrays import Floats
from models.churn.backtest import Blend, enough
from models.churn.calibration import shift_to
from models.churn.ensemble import Members, fit_members
from models.churn.rows import ChurnRows
from models.churn.settings import ChurnSettings, ChurnTask


@dataclass(frozen=True)
class Teacher:
    """Members that were fitted on the same rows, how they answer together (`blend`), and the level
    of the answers.
    """

    members: Members
    blend: Blend
    level: float = 0.0

    def log_odds(self, features: Floats) -> Floats:
        """Calibrated log-odds of churn (rows,)."""
        return (
            self.blend.slope * self.members.said(features).together(self.blend.weights) + self.level
        )

    def probability(self, features: Floats) -> Floats:
        """Calibrated probability of churn (rows,)."""
        return np.asarray(expit(self.log_odds(features)))

    def leveled(self, features: Floats, left: float, weights: Floats | None = None) -> Teacher:
        """The same with a mean answer for `features` (rows, features) of `left`."""
        return replace(self, level=shift_to(self.log_odds(features) - self.level, left, weights))


def fit_teacher(
    rows: ChurnRows,
    task: ChurnTask,
    settings: ChurnSettings,
    blend: Blend,
    today: Floats | None = None,
) -> Teacher:
    """Fit on `rows`; the level is that of the rows as they are, whatever their emphasis.

    With the features of `today` (customers, features) it is the mean forecast for them by those
    members that read every feature. Customers grow older, and recency, frequency and value do not
    say how old. Without today's the newest rows stand for them.
    """
    rows = enough(rows, settings.most_rows, np.random.default_rng(settings.seed))
    now = rows.features[rows.as_of == rows.as_of.max()] if today is None else today
    regularities = (blend.weights.regularity,) if blend.weights.process else ()
    teacher = Teacher(fit_members(rows, task, settings, blend.trees, now, regularities), blend)
    weights = replace(rows, emphasis=None).weights
    left = float(np.average(rows.labels, weights=weights))
    if today is None:
        return teacher.leveled(rows.features, left, weights)
    hearing_all = replace(teacher, members=teacher.members.hearing_all).leveled(
        rows.features, left, weights
    )
    return teacher.leveled(today, float(hearing_all.probability(today).mean()))
