"""A challenger beside the champion's recipe, on the same rows and the same holdout."""

from __future__ import annotations

from experiments.audits.mitigation import Strength
from experiments.training.task import Answers, Data, Fit, Judged, Model, Settings, Task
from experiments.trials.champion_recipe import MITIGATION, Recipe, compared, impossible
from experiments.trials.findings import Findings
from features.errors import FeatureError, ModelUnavailable, TrainingError
from models.registry import CHAMPION, Version
from models.tracking import Tracking


def against_champion(
    task: Task[Settings, Data, Fit, Model, Answers],
    tracking: Tracking,
    data: Data,
    fitted: Fit,
    judged: Judged[Answers],
    settings: Settings,
) -> Findings:
    """How the challenger's answers compare with those of the champion's recipe; nothing without a
    champion.
    """
    champion = tracking.by_alias(task.name, CHAMPION)
    if champion is None:
        return Findings()
    try:
        return _compared(task, tracking, champion, data, fitted, judged, settings)
    except (ModelUnavailable, TrainingError, FeatureError, ValueError) as error:
        return impossible(champion.version, f"its recipe cannot be fitted: {error}")


def _compared(
    task: Task[Settings, Data, Fit, Model, Answers],
    tracking: Tracking,
    champion: Version,
    data: Data,
    fitted: Fit,
    judged: Judged[Answers],
    settings: Settings,
) -> Findings:
    features = task.stated_features(tracking.folder(champion))
    recipe = Recipe.of(champion, features, task.offered(data))
    if why := task.unusable(recipe, features):
        return impossible(champion.version, why)
    stated = recipe.settings(settings)
    refresh = (
        stated == settings
        and features == data.features
        and Strength.parse(recipe.mitigation) == _strength(fitted)
    )
    theirs = judged.ours
    if not refresh:
        theirs_on = task.by_recipe(data, recipe)
        theirs = task.answers(theirs_on, task.fit(theirs_on, stated))
    draws = task.paired_draws(data, judged.ours, theirs)
    return compared(recipe, draws, refresh=refresh)


def _strength(fitted: Fit) -> Strength:
    """How strongly groups were weighed."""
    stated = fitted.parameters.get(MITIGATION)
    return Strength.parse(None if stated is None else str(stated))
