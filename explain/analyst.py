"""Explanations for analysts: contributions of any frame of features as `shap`'s own object, ready
for its plots.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import shap

from explain.attribution import Attribution
from features.errors import FeatureError
from models.arrays import Floats
from models.churn.model import ChurnModel
from models.next_purchase.model import NextPurchaseModel


def attribution_of(model: ChurnModel | NextPurchaseModel) -> Attribution:
    """The explainer of a model, on the scale that it answers on: calibrated log-odds of churn, or
    ranking score.
    """
    return Attribution(model.booster)


def shap_explanation(
    model: ChurnModel | NextPurchaseModel,
    frame: pd.DataFrame,
    attribution: Attribution | None = None,
) -> shap.Explanation:
    """The contributions of every row of `frame`, which has a column for each feature that is known.

    `values` and `data` are (rows, features), `base_values` (rows,), in the order of the model's
    features. Raises `FeatureError` as `feature_matrix` does. `attribution` is the model's
    explainer, where it is there already.
    """
    features = feature_matrix(frame, model.features)
    explainer = attribution or attribution_of(model)
    base = np.full(len(features), explainer.base_value)
    return shap.Explanation(
        explainer.contributions(features), base, features, feature_names=list(model.features)
    )


def stated_explanation(stated: Mapping[str, Any]) -> shap.Explanation:
    """The explanation that an answer states (`base_value`, `contributions`) as one row, holding the
    features that add something.
    """
    parts = stated["contributions"]
    values, data = (
        np.array([part[name] for part in parts], dtype=np.float64)
        for name in ("contribution", "value")
    )
    return shap.Explanation(
        values, stated["base_value"], data, feature_names=[part["feature"] for part in parts]
    )


def feature_matrix(frame: pd.DataFrame, features: Sequence[str]) -> Floats:
    """The columns `features` of a frame as the models take them: (rows, features) float64, `NaN`
    where a value is missing.

    Numbers of any kind are taken, nullable ones and booleans too; a column that is not there is
    withheld. Raises `FeatureError` for a column that the model does not have and for one that holds
    anything but numbers.
    """
    if unknown := [str(name) for name in frame.columns if name not in features]:
        raise FeatureError(
            f"the model has no feature {', '.join(f'`{name}`' for name in unknown)}; it has"
            f" {', '.join(features)}"
        )
    columns = [
        _numbers(frame[name]) if name in frame else np.full(len(frame), np.nan) for name in features
    ]
    return np.column_stack(columns) if columns else np.empty((len(frame), 0))


def _numbers(column: pd.Series) -> Floats:
    if not (
        pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column)
    ) or pd.api.types.is_complex_dtype(column):
        raise FeatureError(
            f"the column `{column.name}` holds {column.dtype}, and features are numbers; hand over"
            " what `sayso features` wrote, or turn it into numbers as the feature's definition"
            " does"
        )
    numbers: Floats = column.to_numpy(dtype="float64", na_value=np.nan)
    return numbers
