"""Training the churn model: fitted on the past, judged on the newest horizon, then fitted anew on
everything.
"""

from __future__ import annotations

from dataclasses import asdict
from functools import partial

from sklearn.metrics import roc_auc_score

from experiments.audits.reweighing import GroupsWeighed, groups_weighed
from experiments.model_card.writing import card_pages
from experiments.training.churn_report import churn_findings
from experiments.trials.baselines import logistic_rfm, recency_score
from experiments.trials.churn_task import churn_lineage, churn_task
from experiments.trials.churn_trial import split_history
from experiments.trials.paired_difference import churn_differences
from experiments.trials.plots import comparison_plot, gain_plot, importance_plot
from experiments.trials.run import TrainingRun, digest_of, recorded, run_metrics, run_tags
from experiments.trials.tuning import CHURN_SPACE, Tried, tuned
from features.progress import Progress, part_of, silent
from features.shop.shop import Shop
from models.churn.backtest import backtest_loss
from models.churn.settings import ChurnSettings
from models.churn.training import fit_churn
from models.metrics import churn_metrics
from models.tracking import Run, Tracking

MODEL = "churn"


def train_churn(
    shop: Shop,
    tracking: Tracking,
    progress: Progress = silent,
    settings: ChurnSettings | None = None,
    trials: int = 0,
    *,
    mitigate: bool = False,
) -> TrainingRun:
    """Train, compare with the baselines, log to MLflow and register as challenger; with `mitigate`
    groups are weighed.

    With `trials`, better settings are looked for first, so many times. Raises `TrainingError` where
    there is too little to learn from; the registry then stays as it was.
    """
    settings = settings or ChurnSettings()
    gate = shop.gate(shop.config.models.churn.purpose)
    task = churn_task(shop)
    features = task.features
    progress("making features at many moments", 0.0)
    history = split_history(gate, task, shop.loaded_until(), shop.facts)
    trial, everything = history.trial(task), history.everything
    known, judged = trial.known, trial.judged
    tried_settings: tuple[Tried, ...] = ()
    if trials:
        settings, tried_settings = tuned(
            settings,
            CHURN_SPACE,
            partial(backtest_loss, known, task),
            trials,
            part_of(progress, 0.1, 0.3),
        )
    progress("training the churn model", 0.3)
    tried = fit_churn(known, task, settings, trial.today)
    weighed = (
        groups_weighed(shop, trial, tried, settings, part_of(progress, 0.4, 0.5))
        if mitigate
        else GroupsWeighed(tried)
    )
    baseline = logistic_rfm(known, features)
    forecasts = {
        "sayso": weighed.model.probability(judged.features),
        "logistic_rfm": baseline.predict_proba(judged.features)[:, 1],
    }
    comparison = {
        name: churn_metrics(judged.labels, forecast) for name, forecast in forecasts.items()
    }
    recency = recency_score(judged.features, features)
    comparison["recency"] = {"auc": float(roc_auc_score(judged.labels, recency))}
    progress("fitting it anew on everything", 0.5)
    model = fit_churn(weighed.weigh(everything, weighed.strength), task, settings, history.today)
    progress("asking how fair, explainable and calibrated it is", 0.7)
    found = churn_findings(shop, tracking, gate, trial, weighed, model, settings)
    progress("logging to MLflow", 0.9)
    run = Run(
        model=MODEL,
        booster=model.booster,
        save=model.save,
        parameters={
            **asdict(settings),
            **weighed.parameters,
            "horizon_days": task.horizon_days,
            "moments": history.moments,
            "rows": len(everything.labels),
            "trees": model.booster.num_trees(),
        },
        metrics={
            **run_metrics(comparison),
            **churn_differences(judged.labels, {**forecasts, "recency": recency}),
            **found.metrics,
        },
        tags={**run_tags(shop, gate), **found.tags},
        trials=[(tried.parameters, {"loss": tried.loss}) for tried in tried_settings],
        documents={
            "features": churn_lineage(shop).document(),
            "comparison": comparison,
            **found.documents,
        },
        figures={
            "gain": gain_plot(judged.labels, forecasts),
            "comparison": comparison_plot(
                "AUC", {name: metrics["auc"] for name, metrics in comparison.items()}
            ),
            "importance": importance_plot(features, model.booster.gains()),
            **found.figures,
        },
        data_digest=digest_of(everything.features, everything.labels, everything.as_of),
    )
    run = card_pages(shop, run, history.holdout, len(judged.labels), len(history.customers))
    version = recorded(shop, tracking, run, gate, history.customers, weighed.members)
    return TrainingRun(version, f"{history.holdout:%Y-%m-%d}", len(judged.labels), comparison)
