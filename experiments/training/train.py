"""The one way in which every model is trained.

It is fitted on the past, judged on the newest data beside simple methods and the champion's recipe,
audited, fitted anew on everything, described by a card and registered as challenger.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from experiments.audits.explainability import explainability
from experiments.model_card.wording import spoken
from experiments.model_card.writing import card_pages
from experiments.training import steps
from experiments.training.against_champion import against_champion
from experiments.training.steps import Steps
from experiments.training.task import Answers, Data, Fit, Judged, Model, Settings, Task
from experiments.trials.findings import Findings
from experiments.trials.plots import comparison_plot, importance_plot
from experiments.trials.run import TrainingRun, digest_of, recorded, run_metrics, run_tags
from experiments.trials.tuning import Tried, tuned
from explain.attribution import Attribution
from features.progress import Progress, silent
from features.shop.shop import Shop
from models.tracking import Tracking
from models.training_run import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class TrainingOptions:
    """How a run goes, apart from the settings of its model.

    With `trials`, so many other settings are tried first. With `mitigate`, groups of customers are
    weighed, so that the model works more alike for them.
    """

    trials: int = 0
    mitigate: bool = False


STANDARD = TrainingOptions()


def train(
    task: Task[Settings, Data, Fit, Model, Answers],
    shop: Shop,
    tracking: Tracking,
    progress: Progress = silent,
    settings: Settings | None = None,
    options: TrainingOptions = STANDARD,
) -> TrainingRun:
    """Train a model, compare it with its baselines, log it to MLflow and register it as challenger.

    Raises `TrainingError` where there is too little to learn from; the registry then stays as it
    was.
    """
    timed = Steps(task.seconds, progress, options.trials, weighs=options.mitigate)
    chosen = task.default_settings() if settings is None else settings
    timed.begin(steps.DATA)
    data = task.data(shop)
    chosen, attempts = _chosen(task, data, chosen, options.trials, timed)
    fitted = _fitted(task, data, chosen, timed, mitigate=options.mitigate)
    timed.begin(steps.JUDGE)
    judged = task.judge(data, fitted)
    timed.begin(steps.REFIT)
    model = task.refit(data, fitted, chosen)
    timed.begin(steps.AUDIT)
    found = _found(task, tracking, data, fitted, judged, model, chosen)
    timed.begin(steps.RECORD)
    run = _run(task, data, fitted, judged, model, chosen, attempts, found)
    run = card_pages(shop, run, task.card, data.holdout, data.judged_count, len(data.customers))
    version = recorded(shop, tracking, run, data.gate, data.customers, fitted.members)
    timed.end()
    return TrainingRun(
        version, f"{data.holdout:%Y-%m-%d}", data.judged_count, judged.comparison, timed.seconds
    )


def _chosen(
    task: Task[Settings, Data, Fit, Model, Answers],
    data: Data,
    settings: Settings,
    trials: int,
    timed: Steps,
) -> tuple[Settings, Sequence[Tried]]:
    """The best settings among those tried, and all attempts; the given ones without trials."""
    if not trials:
        return settings, ()
    loss = task.attempt_loss(data)
    return tuned(settings, task.space, loss, trials, timed.begin(steps.ATTEMPT))


def _fitted(
    task: Task[Settings, Data, Fit, Model, Answers],
    data: Data,
    settings: Settings,
    timed: Steps,
    *,
    mitigate: bool,
) -> Fit:
    timed.begin(steps.FIT)
    fitted = task.fit(data, settings)
    if not mitigate:
        return fitted
    return task.weigh(data, fitted, settings, timed.begin(steps.WEIGH))


def _found(
    task: Task[Settings, Data, Fit, Model, Answers],
    tracking: Tracking,
    data: Data,
    fitted: Fit,
    judged: Judged[Answers],
    model: Model,
    settings: Settings,
) -> Findings:
    """What is found out about the fit on the past, and whether `model`, which is to be registered,
    can be explained.
    """
    rows, score = task.explained(data, model)
    return Findings.together(
        [
            task.audits(data, fitted, judged),
            explainability(rows, lambda: Attribution(model.booster), score),
            against_champion(task, tracking, data, fitted, judged, settings),
        ]
    )


def _run(
    task: Task[Settings, Data, Fit, Model, Answers],
    data: Data,
    fitted: Fit,
    judged: Judged[Answers],
    model: Model,
    settings: Settings,
    attempts: Sequence[Tried],
    found: Findings,
) -> Run:
    """All that the run leaves behind."""
    return Run(
        model=task.name,
        booster=model.booster,
        save=model.save,
        parameters={
            **asdict(settings),  # type: ignore[call-overload]  # settings are a dataclass
            **fitted.parameters,
            **task.parameters(data, model),
        },
        metrics={**run_metrics(judged.comparison), **judged.differences, **found.metrics},
        tags={**run_tags(data.shop, data.gate), **found.tags},
        trials=[(attempt.parameters, {"loss": attempt.loss}) for attempt in attempts],
        documents={
            "features": data.lineage.document(),
            "comparison": judged.comparison,
            **found.documents,
        },
        figures={
            "comparison": _comparison(task, judged),
            "importance": importance_plot(model.features, model.booster.gains()),
            **task.figures(data, judged),
            **found.figures,
        },
        data_digest=digest_of(*data.arrays),
    )


def _comparison(task: Task[Settings, Data, Fit, Model, Answers], judged: Judged[Answers]) -> Figure:
    """The decisive metric of all methods."""
    name = task.decisive_name
    values = {method: metrics[name] for method, metrics in judged.comparison.items()}
    return comparison_plot(spoken(name), values)
