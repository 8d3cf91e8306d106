"""Per-feature contributions: Shapley values against the one row in which everything is withheld.

That reference row stands for nobody, so no other customer's data is inside the explainer, and a
feature that is missing contributes exactly 0.
"""

from __future__ import annotations

import numpy as np

from models.arrays import Floats
from models.trees.booster import Booster, Stated
from models.trees.quantising import rounded
from models.trees.scores import TreeScores
from models.trees.shapley import shapley_values, trees_of


class Attribution:
    """Explains one booster; made once per loaded model, never within a request.

    Values are on the scale of the booster's score, which is the one that the models answer on.
    Raises `ModelUnavailable` for a booster that cannot be explained so.
    """

    def __init__(self, stated: Stated) -> None:
        booster = Booster.of(stated)
        self._trees = trees_of(booster)
        nothing = np.full((1, booster.num_feature()), np.nan)
        # Compiles it, which takes a second, so that no request has to wait for that.
        shapley_values(self._trees, nothing)
        self.base_value = float(TreeScores(booster).of(nothing)[0])

    def contributions(self, features: Floats) -> Floats:
        """What each feature adds to `base_value`, shape of `features` (rows, features)."""
        return shapley_values(self._trees, rounded(features))
