"""The churn champion's recipe on the rows of a challenger's trial."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from experiments.audits.groups import groups_to_weigh, spine_of_rows
from experiments.audits.mitigation import NONE, Strength, weigh_by
from experiments.trials.champion_recipe import Recipe, compared, impossible
from experiments.trials.churn_task import churn_task
from experiments.trials.churn_trial import ChurnTrial
from experiments.trials.findings import Findings
from experiments.trials.paired_bootstrap import PairedBootstrap
from features.definitions.frames import customer_frame, features_for
from features.errors import FeatureError, ModelUnavailable, TrainingError
from features.shop.shop import Shop
from features.warehouse.gate import Gate
from models.arrays import Floats
from models.churn.model import ChurnModel
from models.churn.rows import ChurnRows
from models.churn.settings import ChurnSettings
from models.churn.training import fit_churn
from models.registry import CHAMPION
from models.tracking import Tracking

SEED = 7


def churn_against_champion(
    shop: Shop,
    tracking: Tracking,
    gate: Gate,
    trial: ChurnTrial,
    ours: Floats,
    settings: ChurnSettings,
    strength: Strength,
) -> Findings:
    """How the challenger's answers on the judged rows compare with those of the champion's recipe;
    nothing without a champion.
    """
    champion = tracking.by_alias("churn", CHAMPION)
    if champion is None:
        return Findings()
    try:
        features = ChurnModel.load(tracking.folder(champion)).features
        recipe = Recipe.of(
            champion, features, features_for(shop.config.catalog, "churn", gate.purpose)
        )
        if not recipe.features:
            return impossible(
                champion.version,
                f"of its {len(features)} features the catalog offers none any more",
            )
        stated = recipe.settings(settings)
        refresh = (
            stated == settings
            and features == trial.task.features
            and Strength.parse(recipe.mitigation) == strength
        )
        theirs = ours if refresh else _answers(shop, gate, trial, recipe, stated)
    except (ModelUnavailable, TrainingError, FeatureError, ValueError) as error:
        return impossible(champion.version, f"its recipe cannot be fitted: {error}")
    bootstrap = PairedBootstrap(trial.judged.labels, SEED)
    against = bootstrap.metrics(theirs)
    return compared(
        recipe,
        {name: draws - against[name] for name, draws in bootstrap.metrics(ours).items()},
        refresh=refresh,
    )


def _answers(
    shop: Shop, gate: Gate, trial: ChurnTrial, recipe: Recipe, settings: ChurnSettings
) -> Floats:
    """Probabilities (judged rows,) of a model made as the champion was."""
    task = churn_task(shop, recipe.features)
    known, judged = (
        _with_columns(shop, gate, trial, recipe.features, rows)
        for rows in (trial.known, trial.judged)
    )
    strength = Strength.parse(recipe.mitigation)
    if strength != NONE:
        groups = groups_to_weigh(shop, spine_of_rows(known))
        if groups is None:
            raise TrainingError(
                "it weighed groups of customers, and no `mitigation_purpose` allows that any more"
            )
        known = weigh_by(groups)(known, strength)
    return fit_churn(known, task, settings, judged.features).probability(judged.features)


def _with_columns(
    shop: Shop, gate: Gate, trial: ChurnTrial, names: tuple[str, ...], rows: ChurnRows
) -> ChurnRows:
    """The same rows with other features; those that the trial does not have are made for the same
    customers and moments.
    """
    missing = [name for name in names if name not in trial.task.features]
    spine = spine_of_rows(rows)
    made = customer_frame(gate, missing, spine, shop.facts) if missing else spine
    columns = [
        made[name].to_numpy("float64") if name in missing else trial.column(name, rows)
        for name in names
    ]
    return replace(rows, features=np.column_stack(columns), futures=None)
