"""Training the churn model: a teacher learns from what customers did, and a student, which is the
model, from the teacher.

The teacher forecasts for who shares everything. The student says the same of today's customers, and
with whatever they may withhold the mean of it: one model, calibrated under every consent, that
costs those who share everything nothing.
"""

from __future__ import annotations

import numpy as np

from features.errors import TrainingError
from models.arrays import Floats
from models.churn.backtest import best_weights, enough
from models.churn.boosting import boost
from models.churn.distillation import Distillation
from models.churn.ensemble import growth
from models.churn.model import ChurnModel
from models.churn.outlook import Outlook, fit_outlook
from models.churn.rows import ChurnRows
from models.churn.settings import FEWEST_CUSTOMERS, ChurnSettings, ChurnTask
from models.churn.teacher import fit_teacher
from models.trees.booster import Booster
from models.trees.quantising import rounded


def fit_churn(
    rows: ChurnRows, task: ChurnTask, settings: ChurnSettings, today: Floats | None = None
) -> ChurnModel:
    """Train on `rows`, for the customers whose features are those of `today` (customers, features).

    Without today's, the rows stand for them, as where a label says who left. Raises `TrainingError`
    where the rows hold one class only or too few customers.
    """
    require_enough(len(rows.labels))
    _require_both_outcomes(rows)
    _require_differences(rows, task)
    teacher = fit_teacher(rows, task, settings, best_weights(rows, task, settings), today)
    distillation = Distillation.of(today, rows, teacher.probability, task, settings)
    student = distillation.learnt(
        teacher.probability(distillation.features), "cross_entropy", settings.taught_trees
    )
    return ChurnModel(
        Booster.of(student),
        task.features,
        task.masking,
        task.category_of,
        task.horizon_days,
        _fit_outlook(rows, task, settings, distillation),
    )


def _fit_outlook(
    rows: ChurnRows, task: ChurnTask, settings: ChurnSettings, distillation: Distillation
) -> Outlook | None:
    if rows.futures is None:
        return None
    rows = enough(rows, settings.most_rows, np.random.default_rng(settings.seed))

    def fitted(objective: str, target: Floats) -> Booster:
        known = np.isfinite(target)
        learnt = rows.at(known)
        trees = settings.outlook_trees
        teacher = boost(
            task.features,
            learnt.features,
            target[known],
            learnt.weights,
            objective,
            growth(settings, trees),
            settings,
            task.definitions,
        )
        answers = np.asarray(teacher.predict(rounded(distillation.features)))
        return Booster.of(distillation.learnt(answers, objective, trees, settings.masked_copies))

    return fit_outlook(np.asarray(rows.futures), task.horizon_days, fitted)


def require_enough(customers: int) -> None:
    """Raises `TrainingError` for fewer customers than anything can be learnt from."""
    if customers < FEWEST_CUSTOMERS:
        raise TrainingError(
            f"only {customers} customers to learn churn from, and {FEWEST_CUSTOMERS} are needed:"
            " customers who allow their order times to be used, with an order before and a whole"
            " horizon after a moment. Load more history, ask more customers, or shorten"
            " `horizon_days` in sayso.toml."
        )


def _require_both_outcomes(rows: ChurnRows) -> None:
    if len(np.unique(rows.labels)) < 2:
        said = "every customer left" if rows.labels[:1].any() else "no customer left"
        raise TrainingError(
            f"within the horizon {said}, so there is nothing to tell apart; choose another horizon,"
            " or another label"
        )


def _require_differences(rows: ChurnRows, task: ChurnTask) -> None:
    known = ~np.isnan(rows.features)
    lowest, highest = (
        edge(rows.features, axis=0, initial=start, where=known)
        for edge, start in ((np.min, np.inf), (np.max, -np.inf))
    )
    if not (lowest < highest).any():
        raise TrainingError(
            f"every feature has the same value for all customers ({', '.join(task.features[:5])}),"
            " so nothing tells them apart; list more features in sayso.toml, or look whether the"
            " columns they are made of were loaded as they should"
        )
