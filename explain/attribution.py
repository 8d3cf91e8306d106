"""Per-feature contributions: SHAP values against the one row in which everything is withheld.

That reference row stands for nobody, so no other customer's data is inside the explainer, and a feature that is missing
contributes exactly 0 (Lundberg et al., Nature Machine Intelligence 2020, the interventional form with one reference).
"""

from __future__ import annotations

import lightgbm
import numpy as np
import shap

from features.errors import ModelUnavailable
from models.masking import Floats
from models.precision import rounded


class Attribution:
    """Explains one booster; made once per loaded model, never within a request.

    `slope` and `intercept` carry the values to the scale that the model answers on. Raises `ModelUnavailable` for a booster
    that cannot be explained so.
    """

    def __init__(self, booster: lightgbm.Booster, slope: float = 1.0, intercept: float = 0.0) -> None:
        _require_missing_is_known(booster)
        nothing = np.full((1, booster.num_feature()), np.nan)
        self._explainer = shap.TreeExplainer(booster, data=nothing, feature_perturbation="interventional")
        self._slope = slope
        raw = float(np.asarray(booster.predict(nothing, raw_score=True))[0])
        self.base_value = slope * raw + intercept

    def contributions(self, features: Floats) -> Floats:
        """What each feature adds to `base_value`, shape of `features` (rows, features)."""
        return self._slope * np.asarray(self._explainer.shap_values(rounded(features), check_additivity=False), dtype=np.float64)


def _require_missing_is_known(booster: lightgbm.Booster) -> None:
    """A split made without ever seeing a missing value takes it for 0 in a prediction and for the default in an explanation."""
    names = booster.feature_name()
    for tree in booster.dump_model()["tree_info"]:
        waiting = [tree["tree_structure"]]
        while waiting:
            node = waiting.pop()
            if "split_feature" not in node:
                continue
            if node["missing_type"] != "NaN":
                raise ModelUnavailable(
                    f"the model was never shown a row without `{names[node['split_feature']]}`, so an answer without it could not be "
                    "explained; train it with masked copies"
                )
            waiting += [node["left_child"], node["right_child"]]
