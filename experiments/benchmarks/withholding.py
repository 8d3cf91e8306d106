"""What masked training costs and gains: answers under withheld data beside models trained for
exactly that.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score

from experiments.trials.churn_trial import ChurnTrial
from features.progress import Progress, silent
from models.arrays import Bools
from models.churn.model import ChurnModel
from models.churn.rows import ChurnRows
from models.churn.settings import ChurnSettings, ChurnTask
from models.churn.training import fit_churn
from models.masking import Masking
from models.metrics import churn_metrics

MEASURED = ("auc", "ece", "ece_by_chance", "bias")


def withholding(
    trial: ChurnTrial, progress: Progress = silent, settings: ChurnSettings | None = None
) -> dict[str, Any]:
    """By pattern (`all`, `without_<category>`, `none`) the AUC and calibration error of the one
    masked model on the judged rows.

    Beside it, as `auc_trained_for_it`, the AUC of a model trained without masking on nothing but
    the features that the pattern leaves; for `none`, the answer and the share who left.
    """
    settings = settings or ChurnSettings()
    progress("training with masks", 0.0)
    model = fit_churn(trial.known, trial.task, settings, trial.today)
    report: dict[str, Any] = {}
    categories = trial.task.masking.categories
    for position, category in enumerate((None, *categories)):
        name = f"without_{category}" if category else "all"
        progress(name, (position + 1) / (len(categories) + 2))
        report[name] = _judged(model, trial, [c for c in categories if c != category], settings)
    nothing = model.probability(np.full((1, len(trial.task.features)), np.nan))[0]
    report["none"] = {"probability": float(nothing), "base_rate": float(trial.judged.labels.mean())}
    return report


def _judged(
    model: ChurnModel, trial: ChurnTrial, granted: list[str], settings: ChurnSettings
) -> dict[str, float]:
    labels = trial.judged.labels
    answers = model.probability(trial.task.masking.allow(trial.judged.features, granted))
    measured = churn_metrics(labels, answers)
    return {
        **{name: measured[name] for name in MEASURED},
        "auc_trained_for_it": _trained_for(trial, granted, settings),
    }


def _trained_for(trial: ChurnTrial, granted: list[str], settings: ChurnSettings) -> float:
    """AUC of a model that never saw anything but the features made of `granted` categories; 0.5
    where there is none.
    """
    masking = trial.task.masking
    withheld = np.array([name not in granted for name in masking.categories])
    left = np.asarray(~(masking.needs & withheld).any(axis=1))
    if not left.any():
        return 0.5
    names = tuple(name for name, kept in zip(trial.task.features, left, strict=True) if kept)
    task = ChurnTask(
        names,
        Masking(masking.categories, masking.needs[left]),
        trial.task.category_of,
        trial.task.horizon_days,
        trial.task.definitions,
    )
    known, judged = (_columns(rows, left) for rows in (trial.known, trial.judged))
    today = None if trial.today is None else trial.today[:, left]
    model = fit_churn(known, task, replace(settings, masked_copies=0), today)
    return float(roc_auc_score(judged.labels, model.probability(judged.features)))


def _columns(rows: ChurnRows, kept: Bools) -> ChurnRows:
    return replace(rows, features=rows.features[:, kept])
