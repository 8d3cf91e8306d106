"""Methods for any table, on the very features that Sayso has, their settings found on the same
trials within the past.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from experiments.trials.churn_trial import ChurnTrial
from features.errors import TrainingError
from models.arrays import Floats
from models.churn.backtest import trials
from models.churn.rows import ChurnRows

MOST_ROWS = 100_000
TREES = 200
ROWS_PER_LEAF = (10, 50, 200)
STRENGTHS = (0.001, 0.03, 1.0)
INTERACTIONS = (5,)
SEED = 7

Made = Callable[[float], object]


def random_forest_peer(trial: ChurnTrial) -> Floats:
    """Churn probability (judged,) by a random forest (Breiman 2001)."""

    def made(rows_per_leaf: float) -> RandomForestClassifier:
        return RandomForestClassifier(
            TREES, min_samples_leaf=int(rows_per_leaf), max_samples=0.5, n_jobs=2, random_state=SEED
        )

    return _best(trial, made, ROWS_PER_LEAF)


def logistic_peer(trial: ChurnTrial) -> Floats:
    """Churn probability (judged,) by logistic regression on all features, standardised, a missing
    value at the mean.
    """

    def made(strength: float) -> object:
        return make_pipeline(
            SimpleImputer(add_indicator=True, keep_empty_features=True),
            StandardScaler(),
            LogisticRegression(C=strength, max_iter=2_000),
        )

    return _best(trial, made, STRENGTHS)


def boosting_machine_peer(trial: ChurnTrial) -> Floats:
    """Churn probability (judged,) by an explainable boosting machine (Nori et al. 2019).

    Raises `TrainingError` where it is not installed.
    """
    try:
        from interpret.glassbox import ExplainableBoostingClassifier  # noqa: PLC0415 - installed where somebody wants this peer
    except ImportError as error:
        raise TrainingError(
            f"the package `interpret-core` is not installed ({error}); install it to see this peer"
        ) from None

    def made(interactions: float) -> object:
        return ExplainableBoostingClassifier(
            interactions=int(interactions), outer_bags=4, n_jobs=1, random_state=SEED
        )

    return _best(trial, made, INTERACTIONS)


def _best(trial: ChurnTrial, made: Made, settings: Sequence[float]) -> Floats:
    """Probabilities by the setting with the least log loss on the newest trial within the past,
    fitted anew on all of it.
    """
    inner = (
        list(islice(trials(trial.known, trial.task.horizon_days, SEED), 1))
        if len(settings) > 1
        else []
    )
    losses = [
        sum(log_loss(late.labels, _forecast(made(setting), early, late)) for early, late in inner)
        for setting in settings
    ]
    return _forecast(made(settings[int(np.argmin(losses))]), trial.known, trial.judged)


def _forecast(method: object, learnt: ChurnRows, judged: ChurnRows) -> Floats:
    count = len(learnt.labels)
    chosen = (
        np.random.default_rng(SEED).choice(count, MOST_ROWS, replace=False)
        if count > MOST_ROWS
        else np.arange(count)
    )
    fitted = method.fit(learnt.features[chosen], learnt.labels[chosen])  # type: ignore[attr-defined]  # any classifier of scikit-learn's shape
    return np.asarray(fitted.predict_proba(judged.features)[:, 1])
