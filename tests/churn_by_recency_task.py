"""A third model in one file: churn by nothing but how long ago somebody ordered last."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from experiments.audits.consent_patterns import churn_by_pattern
from experiments.audits.explainability import Score, ToExplain, churn_to_explain
from experiments.model_card.wording import CardWording
from experiments.training.task import OURS, Judged, PlainFit, Task
from experiments.training.tasks.churn.data import ChurnData
from experiments.trials.baselines import recency_score
from experiments.trials.champion_recipe import Recipe
from experiments.trials.findings import Findings
from experiments.trials.paired_bootstrap import PairedBootstrap
from experiments.trials.paired_difference import churn_differences
from features.shop.shop import Shop
from models.arrays import Floats
from models.churn.boosting import Growth, boost
from models.churn.model import ChurnModel
from models.churn.rows import ChurnRows
from models.churn.settings import ChurnSettings
from models.metrics import churn_metrics
from models.trees.booster import Booster

FEATURE = "days_since_last_order"
SECONDS = dict.fromkeys(("data", "fit", "judge", "refit", "audit", "record"), 1.0)
Recency = PlainFit[ChurnModel]


@dataclass(frozen=True)
class RecencySettings:
    """How the trees are grown."""

    trees: int = 10
    learning_rate: float = 0.1
    seed: int = 7


class ChurnByRecency(Task[RecencySettings, ChurnData, Recency, ChurnModel, Floats]):
    """A few small trees on one feature."""

    name = "churn_by_recency"
    decisive = "auc"
    baselines = ("recency",)
    printed = ("auc", "log_loss")
    card = CardWording(
        "see who has been away for long",
        ("It tells who ordered nothing for long.",),
        ("It knows nothing else.",),
        judged="customers",
        metrics=("auc", "log_loss"),
        metrics_by_consent=("auc",),
    )
    forecasts_probabilities = True
    seconds = SECONDS

    def default_settings(self) -> RecencySettings:
        """Ten trees."""
        return RecencySettings()

    def data(self, shop: Shop) -> ChurnData:
        """The churn model's customers and moments with one feature."""
        return ChurnData.of(shop, (FEATURE,))

    def fit(self, data: ChurnData, settings: RecencySettings) -> Recency:
        """Fit on the rows before the holdout."""
        return PlainFit(_fitted(data, data.trial.known, settings))

    def refit(self, data: ChurnData, fitted: Recency, settings: RecencySettings) -> ChurnModel:
        """Fit on all rows."""
        return _fitted(data, data.history.everything, settings)

    def judge(self, data: ChurnData, fitted: Recency) -> Judged[Floats]:
        """Beside recency itself."""
        labels, rows = data.trial.judged.labels, data.trial.judged.features
        ours, recency = self.answers(data, fitted), recency_score(rows, data.features)
        scaled = recency / recency.max()
        comparison = {
            OURS: churn_metrics(labels, ours),
            "recency": {"auc": churn_metrics(labels, scaled)["auc"]},
        }
        answers = {OURS: ours, "recency": recency}
        return Judged(answers, comparison, churn_differences(labels, answers))

    def audits(self, data: ChurnData, fitted: Recency, judged: Judged[Floats]) -> Findings:
        """Calibration by consent pattern."""
        return churn_by_pattern(fitted.model, data.trial.judged)

    def explained(self, data: ChurnData, model: ChurnModel) -> tuple[ToExplain, Score]:
        """Some judged customers."""
        return churn_to_explain(model, data.trial.judged.features), model.log_odds

    def parameters(self, data: ChurnData, model: ChurnModel) -> Mapping[str, object]:
        """The horizon."""
        return {"horizon_days": data.columns.horizon_days}

    def stated_features(self, folder: Path) -> tuple[str, ...]:
        """The one feature."""
        return ChurnModel.load(folder).features

    def offered(self, data: ChurnData) -> Collection[str]:
        """The one feature."""
        return (FEATURE,)

    def by_recipe(self, data: ChurnData, recipe: Recipe) -> ChurnData:
        """The same rows."""
        return data.by_recipe(recipe)

    def answers(self, data: ChurnData, fitted: Recency) -> Floats:
        """Probabilities (judged rows,)."""
        return fitted.model.probability(data.trial.judged.features)

    def paired_draws(self, data: ChurnData, ours: Floats, theirs: Floats) -> Mapping[str, Floats]:
        """Of AUC."""
        bootstrap = PairedBootstrap(data.trial.judged.labels, 7)
        return {"auc": bootstrap.metrics(ours)["auc"] - bootstrap.metrics(theirs)["auc"]}


def _fitted(data: ChurnData, rows: ChurnRows, settings: RecencySettings) -> ChurnModel:
    """Learn every row twice, once with the feature withheld, so that it can be."""
    columns = data.columns
    booster = boost(
        columns.features,
        np.vstack([rows.features, np.full_like(rows.features, np.nan)]),
        np.tile(rows.labels, 2),
        np.tile(rows.weights, 2),
        "binary",
        Growth(settings.trees, 4, settings.learning_rate, 20),
        ChurnSettings(),
    )
    return ChurnModel(
        Booster.of(booster),
        columns.features,
        columns.masking,
        columns.category_of,
        columns.horizon_days,
    )


TASK = ChurnByRecency()
