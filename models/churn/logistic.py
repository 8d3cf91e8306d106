"""Logistic regression on the logarithms of features.

It can express less than trees, needs fewer customers for that, and extrapolates where trees have
seen nothing, such as when a shop grows older than its record was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from features.definitions.customer import TOTAL_SPENT
from features.definitions.rhythm import DAYS_SINCE_LAST_ORDER, ORDER_DAYS
from models.arrays import Floats

RECENCY_FREQUENCY_VALUE = (DAYS_SINCE_LAST_ORDER.name, ORDER_DAYS.name, TOTAL_SPENT.name)
"""What shops have told customers apart by since long before there were trees."""
MOST_STEPS = 3_000


@dataclass(frozen=True)
class LogisticMember:
    """A fitted logistic regression on some `columns` of the features."""

    columns: tuple[int, ...]
    fitted: Pipeline

    def log_odds(self, features: Floats) -> Floats:
        """Log-odds (rows,) of features (rows, features); what is not known counts as the mean, and
        that it is not known as a sign.
        """
        return np.asarray(
            self.fitted.decision_function(features[:, self.columns]), dtype=np.float64
        )


def fit_logistic(
    names: Sequence[str], features: Floats, labels: Floats, weights: Floats, strength: float
) -> tuple[LogisticMember, ...]:
    """A line on all features (rows, names), and one on recency, frequency and value where these are
    among them.

    `strength` is the inverse of the ridge that holds the weights small.
    """
    few = tuple(names.index(name) for name in RECENCY_FREQUENCY_VALUE if name in names)
    return tuple(
        _fit_line(columns, features, labels, weights, strength)
        for columns in (tuple(range(len(names))), few)
        if columns
    )


def _fit_line(
    columns: tuple[int, ...], features: Floats, labels: Floats, weights: Floats, strength: float
) -> LogisticMember:
    line = make_pipeline(
        FunctionTransformer(_logarithm),
        SimpleImputer(add_indicator=True, keep_empty_features=True),
        StandardScaler(),
        LogisticRegression(C=strength, max_iter=MOST_STEPS),
    )
    return LogisticMember(
        columns, line.fit(features[:, columns], labels, logisticregression__sample_weight=weights)
    )


def _logarithm(features: Floats) -> Floats:
    """The logarithm of one plus the size of each value, with its sign."""
    return np.asarray(np.sign(features) * np.log1p(np.abs(features)))
