"""What the churn model learns from and is judged by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from experiments.audits.groups import groups_to_weigh, spine_of_rows
from experiments.audits.mitigation import NONE, Strength, weigh_by
from experiments.trials.champion_recipe import Recipe
from experiments.trials.churn_task import churn_lineage, churn_task
from experiments.trials.churn_trial import ChurnTrial, SplitHistory, split_history
from experiments.trials.lineage import Lineage
from features.definitions.frames import customer_frame
from features.errors import TrainingError
from features.shop.shop import Shop
from features.warehouse.gate import Gate
from models.churn.rows import ChurnRows
from models.churn.settings import ChurnTask


@dataclass(frozen=True)
class ChurnData:
    """All rows of a shop at many moments (`history`), and the `trial` on them: the newest rows are
    judged by what is learnt from the others.
    """

    shop: Shop
    gate: Gate
    history: SplitHistory
    trial: ChurnTrial

    @classmethod
    def of(cls, shop: Shop, features: Sequence[str] | None = None) -> ChurnData:
        """With the features of `sayso.toml`, or with others.

        Raises `TrainingError` where the history is too short or of too few customers.
        """
        gate = shop.gate(shop.config.models.churn.purpose)
        columns = churn_task(shop, features)
        history = split_history(gate, columns, shop.loaded_until(), shop.facts)
        return cls(shop, gate, history, history.trial(columns))

    @property
    def columns(self) -> ChurnTask:
        """The features, what masks them, and the horizon."""
        return self.trial.task

    @property
    def holdout(self) -> datetime:
        """The moment of the rows that are judged."""
        return self.history.holdout

    @property
    def judged_count(self) -> int:
        """How many customers a model is judged by."""
        return len(self.trial.judged.labels)

    @property
    def customers(self) -> NDArray[np.int64]:
        """Pseudonyms of the customers in any row."""
        return self.history.customers

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the features."""
        return self.columns.features

    @property
    def lineage(self) -> Lineage:
        """The fields that each feature reads."""
        return churn_lineage(self.shop, self.features)

    @property
    def arrays(self) -> Sequence[NDArray[np.generic]]:
        """Features, labels and moments of all rows."""
        everything = self.history.everything
        return everything.features, everything.labels, everything.as_of

    def by_recipe(self, recipe: Recipe) -> ChurnData:
        """The same trial with another version's features, weighed as that version was.

        Raises `TrainingError` where groups were weighed and nothing allows that any more.
        """
        known, judged = (
            self._with_columns(recipe.features, rows)
            for rows in (self.trial.known, self.trial.judged)
        )
        strength = Strength.parse(recipe.mitigation)
        if strength != NONE:
            groups = groups_to_weigh(self.shop, spine_of_rows(known))
            if groups is None:
                raise TrainingError(
                    "it weighed groups of customers, and no `mitigation_purpose` allows that any"
                    " more"
                )
            known = weigh_by(groups)(known, strength)
        columns = churn_task(self.shop, recipe.features)
        return replace(self, trial=ChurnTrial(columns, known, judged, judged.features))

    def _with_columns(self, names: Sequence[str], rows: ChurnRows) -> ChurnRows:
        """The same rows with other features; those that the trial does not have are made for the
        same customers and moments.
        """
        missing = [name for name in names if name not in self.features]
        spine = spine_of_rows(rows)
        made = customer_frame(self.gate, missing, spine, self.shop.facts) if missing else spine
        columns = [
            made[name].to_numpy("float64") if name in missing else self.trial.column(name, rows)
            for name in names
        ]
        return replace(rows, features=np.column_stack(columns), futures=None)
