"""The churn model as a task."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from sklearn.metrics import roc_auc_score

from experiments.audits.consent_patterns import churn_by_pattern
from experiments.audits.explainability import Score, ToExplain, churn_to_explain
from experiments.audits.fairness import audit_churn, fairness_findings
from experiments.audits.groups import audited_groups, spine_of_rows
from experiments.audits.reweighing import GroupsWeighed, before_and_after, groups_weighed
from experiments.training.task import OURS, Judged, Task
from experiments.training.tasks.churn.card import CARD
from experiments.training.tasks.churn.data import ChurnData
from experiments.trials.baselines import logistic_rfm, recency_score
from experiments.trials.champion_recipe import Recipe
from experiments.trials.findings import Findings
from experiments.trials.paired_bootstrap import PairedBootstrap
from experiments.trials.paired_difference import churn_differences
from experiments.trials.plots import gain_plot
from experiments.trials.tuning import CHURN_SPACE
from features.definitions.frames import features_for
from features.progress import Progress
from features.shop.shop import Shop
from models.arrays import Floats
from models.churn.backtest import backtest_loss
from models.churn.model import ChurnModel
from models.churn.settings import ChurnSettings
from models.churn.training import fit_churn
from models.metrics import churn_metrics

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SEED = 7

SECONDS = {
    "data": 3.7,
    "attempt": 2.9,
    "fit": 6.8,
    "weigh": 37.0,
    "judge": 0.5,
    "refit": 11.8,
    "audit": 2.6,
    "record": 2.2,
}


class Churn(Task[ChurnSettings, ChurnData, GroupsWeighed, ChurnModel, Floats]):
    """Who orders nothing within the horizon; answers are probabilities (judged rows,)."""

    name = "churn"
    decisive = "auc"
    baselines = ("logistic_rfm", "recency")
    printed = ("auc", "log_loss", "ece", "ece_by_chance", "brier")
    card = CARD
    space = CHURN_SPACE
    forecasts_probabilities = True
    weighs_groups = True
    seconds = SECONDS

    def default_settings(self) -> ChurnSettings:
        """Those that did best on public data."""
        return ChurnSettings()

    def data(self, shop: Shop) -> ChurnData:
        """Customers at many moments."""
        return ChurnData.of(shop)

    def attempt_loss(self, data: ChurnData) -> Callable[[ChurnSettings], float]:
        """The log loss of backtests within what was known before the holdout."""
        return lambda settings: backtest_loss(data.trial.known, data.columns, settings)

    def fit(self, data: ChurnData, settings: ChurnSettings) -> GroupsWeighed:
        """Fit on the rows before the holdout, for the customers of the holdout."""
        trial = data.trial
        return GroupsWeighed(fit_churn(trial.known, data.columns, settings, trial.today))

    def weigh(
        self,
        data: ChurnData,
        fitted: GroupsWeighed,
        settings: ChurnSettings,
        progress: Progress,
    ) -> GroupsWeighed:
        """Choose how strongly to weigh the audited groups, and fit so."""
        return groups_weighed(data.shop, data.trial, fitted.model, settings, progress)

    def judge(self, data: ChurnData, fitted: GroupsWeighed) -> Judged[Floats]:
        """Beside logistic regression on recency, frequency and value, and recency alone, which
        orders customers but gives no probability.
        """
        judged = data.trial.judged
        baseline = logistic_rfm(data.trial.known, data.features)
        forecasts = {
            OURS: self.answers(data, fitted),
            "logistic_rfm": baseline.predict_proba(judged.features)[:, 1],
        }
        recency = recency_score(judged.features, data.features)
        comparison = {
            method: churn_metrics(judged.labels, forecast) for method, forecast in forecasts.items()
        }
        comparison["recency"] = {"auc": float(roc_auc_score(judged.labels, recency))}
        answers = {**forecasts, "recency": recency}
        return Judged(answers, comparison, churn_differences(judged.labels, answers))

    def refit(self, data: ChurnData, fitted: GroupsWeighed, settings: ChurnSettings) -> ChurnModel:
        """Fit on all rows, for the customers of today."""
        history = data.history
        rows = fitted.weigh(history.everything, fitted.strength)
        return fit_churn(rows, data.columns, settings, history.today)

    def audits(self, data: ChurnData, fitted: GroupsWeighed, judged: Judged[Floats]) -> Findings:
        """Calibration by consent pattern, fairness by group, and what weighing groups changed."""
        rows, audit = data.trial.judged, data.shop.config.audit
        groups = audited_groups(data.shop, spine_of_rows(rows)).of(rows)
        audited = audit_churn(groups, rows.labels, judged.ours, audit.fewest_customers)
        return Findings.together(
            [
                churn_by_pattern(fitted.model, rows),
                fairness_findings(audited, data.shop.config.audited, audit.fewest_customers),
                before_and_after(fitted, rows, groups, audit.fewest_customers),
            ]
        )

    def explained(self, data: ChurnData, model: ChurnModel) -> tuple[ToExplain, Score]:
        """Some judged customers, and their log-odds."""
        return churn_to_explain(model, data.trial.judged.features), model.log_odds

    def parameters(self, data: ChurnData, model: ChurnModel) -> Mapping[str, object]:
        """The horizon, and how many moments, rows and trees there are."""
        return {
            "horizon_days": data.columns.horizon_days,
            "moments": data.history.moments,
            "rows": len(data.history.everything.labels),
            "trees": model.booster.num_trees(),
        }

    def figures(self, data: ChurnData, judged: Judged[Floats]) -> Mapping[str, Figure]:
        """How many of the leavers are found early, by the methods that give probabilities."""
        forecasts = {name: judged.answers[name] for name in (OURS, "logistic_rfm")}
        return {"gain": gain_plot(data.trial.judged.labels, forecasts)}

    def stated_features(self, folder: Path) -> tuple[str, ...]:
        """The columns of its booster."""
        return ChurnModel.load(folder).features

    def offered(self, data: ChurnData) -> Collection[str]:
        """Features of customers that the catalog's fields allow."""
        catalog = data.shop.config.catalog
        return features_for(catalog, "churn", data.gate.purpose, unlisted=True)

    def by_recipe(self, data: ChurnData, recipe: Recipe) -> ChurnData:
        """The same customers and moments with other features."""
        return data.by_recipe(recipe)

    def answers(self, data: ChurnData, fitted: GroupsWeighed) -> Floats:
        """Probabilities of churn (judged rows,)."""
        return fitted.model.probability(data.trial.judged.features)

    def paired_draws(self, data: ChurnData, ours: Floats, theirs: Floats) -> Mapping[str, Floats]:
        """Of AUC and the other metrics of the bootstrap."""
        bootstrap = PairedBootstrap(data.trial.judged.labels, SEED)
        against = bootstrap.metrics(theirs)
        return {name: draws - against[name] for name, draws in bootstrap.metrics(ours).items()}


TASK = Churn()
