"""Training the churn model: fitted on the past, judged on the newest horizon, then fitted anew on everything."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial

import numpy as np
from sklearn.metrics import roc_auc_score

from experiments.baselines import logistic_rfm, recency_score
from experiments.churn_trial import split_history
from experiments.plots import calibration_plot, comparison_plot, gain_plot, importance_plot
from experiments.run import Lineage, TrainingRun, recorded, run_metrics, run_tags
from experiments.tuning import CHURN_SPACE, Tried, tuned
from features.pipeline import reads_of
from features.progress import Progress, part_of, silent
from features.shop import Shop
from models.churn import ChurnModel
from models.churn_rows import ChurnRows
from models.churn_training import ChurnSettings, ChurnTask, fit_churn, foretold_loss
from models.masking import Floats, Masking
from models.metrics import churn_metrics
from models.tracking import Run, Tracking

MODEL = "churn"


def train_churn(
    shop: Shop, tracking: Tracking, progress: Progress = silent, settings: ChurnSettings | None = None, trials: int = 0
) -> TrainingRun:
    """Train, compare with the baselines, log to MLflow and register as challenger.

    With `trials`, better settings are looked for first, so many times. Raises `TrainingError` where there is too little to learn
    from; the registry then stays as it was.
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
        settings, tried_settings = tuned(settings, CHURN_SPACE, partial(foretold_loss, known, task), trials, part_of(progress, 0.1, 0.4))
    progress("training the churn model", 0.4)
    tried = fit_churn(known, task, settings)
    baseline = logistic_rfm(known, features)
    forecasts = {"sayso": tried.probability(judged.features), "logistic_rfm": baseline.predict_proba(judged.features)[:, 1]}
    comparison = {name: churn_metrics(judged.labels, forecast) for name, forecast in forecasts.items()}
    comparison["recency"] = {"auc": float(roc_auc_score(judged.labels, recency_score(judged.features, features)))}
    progress("fitting it anew on everything", 0.7)
    model = fit_churn(everything, task, settings)
    progress("logging to MLflow", 0.9)
    run = Run(
        model=MODEL,
        booster=model.booster,
        save=model.save,
        parameters={
            **asdict(settings),
            "horizon_days": task.horizon_days,
            "moments": history.moments,
            "rows": len(everything.labels),
            "trees": model.booster.num_trees(),
        },
        metrics=run_metrics(comparison) | _by_withheld(tried, judged),
        tags=run_tags(shop, gate),
        trials=[(tried.parameters, {"loss": tried.loss}) for tried in tried_settings],
        documents={"features": churn_lineage(shop).document(), "comparison": comparison},
        figures={
            "calibration": calibration_plot(judged.labels, forecasts),
            "gain": gain_plot(judged.labels, forecasts),
            "comparison": comparison_plot("AUC", {name: metrics["auc"] for name, metrics in comparison.items()}),
            "importance": importance_plot(features, model.booster.feature_importance("gain")),
        },
    )
    version = recorded(shop, tracking, run, gate, history.customers)
    return TrainingRun(version, f"{history.holdout:%Y-%m-%d}", len(judged.labels), comparison)


def churn_lineage(shop: Shop) -> Lineage:
    """What each churn feature reads."""
    return Lineage(shop.config.catalog, {name: reads_of(name) for name in shop.config.models.churn.features})


def churn_task(shop: Shop) -> ChurnTask:
    """What the churn model has to learn, by `sayso.toml`."""
    section, catalog, lineage = shop.config.models.churn, shop.config.catalog, churn_lineage(shop)
    masking = Masking.of([catalog.categories_of(fields) for fields in lineage.reads.values()], catalog.askable(section.purpose))
    return ChurnTask(section.features, masking, lineage.category_of, section.horizon_days)


def _by_withheld(model: ChurnModel, judged: ChurnRows) -> dict[str, float]:
    """AUC and calibration error on the holdout when everybody withheld one category, or all of them."""
    masking = model.masking
    metrics: dict[str, float] = {}
    for position, category in enumerate(masking.categories):
        withheld = np.zeros((len(judged.labels), len(masking.categories)), dtype=bool)
        withheld[:, position] = True
        metrics |= _named(f"without_{category}", judged.labels, model.probability(masking.withhold(judged.features, withheld)))
    return metrics | _named("without_all", judged.labels, model.probability(np.full_like(judged.features, np.nan)))


def _named(prefix: str, labels: Floats, probabilities: Floats) -> dict[str, float]:
    metrics = churn_metrics(labels, probabilities)
    return {f"{prefix}.{name}": metrics[name] for name in ("auc", "ece")}
