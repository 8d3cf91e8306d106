"""Simple scores as probabilities: recency alone, and logistic regression on recency, frequency and
money.
"""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import LogisticRegression

from experiments.trials.baselines import logistic_rfm, recency_score
from experiments.trials.churn_trial import ChurnTrial
from features.definitions.feature import Feature
from features.definitions.rhythm import DAYS_SINCE_LAST_ORDER
from features.errors import TrainingError
from models.arrays import Floats


def recency_peer(trial: ChurnTrial) -> Floats:
    """Churn probability (judged,) by the logarithm of the days since the last order alone."""
    _require(trial, DAYS_SINCE_LAST_ORDER)
    known, judged = (
        np.log1p(recency_score(rows.features, trial.task.features))[:, None]
        for rows in (trial.known, trial.judged)
    )
    return np.asarray(
        LogisticRegression().fit(known, trial.known.labels).predict_proba(judged)[:, 1]
    )


def logistic_rfm_peer(trial: ChurnTrial) -> Floats:
    """Churn probability (judged,) by logistic regression on log recency, frequency and money."""
    _require(trial, DAYS_SINCE_LAST_ORDER)
    return np.asarray(
        logistic_rfm(trial.known, trial.task.features).predict_proba(trial.judged.features)[:, 1]
    )


def _require(trial: ChurnTrial, feature: Feature) -> None:
    if feature.name not in trial.task.features:
        raise TrainingError(f"it needs {feature.name}, which this data has not")
