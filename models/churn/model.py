"""The churn model: who orders nothing within the horizon, or, by a shop's own label, who left.

LightGBM on customer features, whose score is calibrated log-odds with whatever is withheld;
`models.churn.training` makes one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from scipy.special import expit

from models.arrays import Floats
from models.churn.outlook import Outlook
from models.masking import Masking
from models.trees.booster import Booster
from models.trees.quantising import rounded
from models.trees.scores import TreeScores


@dataclass(frozen=True)
class ChurnModel:
    """A trained model: `features` in the order of its columns, `category_of` the category that each
    is shown under.

    `outlook` tells what else to expect of a customer; None where a label alone said who left.
    """

    booster: Booster
    features: tuple[str, ...]
    masking: Masking
    category_of: Mapping[str, str]
    horizon_days: int
    outlook: Outlook | None = None

    @cached_property
    def _scores(self) -> TreeScores:
        return TreeScores(self.booster)

    @cached_property
    def needs(self) -> Mapping[str, frozenset[str]]:
        """The categories that each feature needed when the model was trained."""
        return self.masking.needed(self.features)

    def log_odds(self, features: Floats) -> Floats:
        """Calibrated log-odds of churn (rows,), for features (rows, features) with `NaN` for what
        is withheld.
        """
        return self._scores.of(rounded(features))

    def probability(self, features: Floats) -> Floats:
        """Calibrated probability of churn (rows,)."""
        return np.asarray(expit(self.log_odds(features)), dtype=np.float64)

    def save(self, folder: Path) -> None:
        """Write the model as data: the boosters' texts and a manifest."""
        self.booster.save_model(folder / "booster.txt")
        if self.outlook is not None:
            self.outlook.save(folder)
        manifest = {
            "features": self.features,
            "categories": self.masking.categories,
            "needs": self.masking.needs.tolist(),
            "category_of": dict(self.category_of),
            "horizon_days": self.horizon_days,
        }
        (folder / "manifest.json").write_text(json.dumps(manifest, indent=1), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> ChurnModel:
        """Read what `save` wrote.

        Raises `ValueError` for a model of before, whose score is no calibrated log-odds by itself.
        """
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        if "calibrator" in manifest:
            raise ValueError(
                "its score was calibrated apart, as before this release; train it anew"
            )
        return cls(
            booster=Booster.read(folder / "booster.txt"),
            features=tuple(manifest["features"]),
            masking=Masking(tuple(manifest["categories"]), np.array(manifest["needs"], dtype=bool)),
            category_of=manifest["category_of"],
            horizon_days=manifest["horizon_days"],
            outlook=Outlook.load(folder, manifest["horizon_days"]),
        )
