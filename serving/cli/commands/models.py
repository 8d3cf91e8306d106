"""`sayso train`, `sayso score`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from experiments.training.registry import task, task_names
from experiments.training.train import TrainingOptions
from experiments.training.train import train as train_task
from experiments.trials.run import TrainingRun
from features.config.environment import Settings
from features.errors import ModelUnavailable
from features.progress import Progress
from features.shop.shop import Shop
from features.shop.workspace import Workspace
from models.registry import CHAMPION, FILES_DIGEST
from models.tracking import Tracking
from serving.analysis.churn_scores import churn_scores
from serving.cli.adoption import assembled
from serving.cli.options import (
    DEFAULT_WORKSPACE,
    DebugOption,
    JsonOption,
    ModelArgument,
    WorkspaceOption,
)
from serving.cli.screen import Screen, comparison_rows


class Scored(StrEnum):
    """What customers are scored for in a batch."""

    CHURN = "churn"


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    app.command("train")(train)
    app.command("score")(score)


def train(
    model: ModelArgument,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    trials: Annotated[
        int,
        typer.Option(
            "--trials",
            min=0,
            help="Try so many other settings first, within the past; 0: the defaults.",
        ),
    ] = 0,
    *,
    mitigate: Annotated[
        bool,
        typer.Option("--mitigate", help="Weigh groups so that churn works more alike for them."),
    ] = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Train a model, compare it with its baselines, log it to MLflow and register it as
    challenger.
    """
    if mitigate and not task(model).weighs_groups:
        raise typer.BadParameter(
            f"groups are weighed for {_weighing_groups()} only", param_hint="--mitigate"
        )
    screen = Screen(as_json=as_json)
    with screen.progress() as progress:
        run = train_model(
            Workspace.open(workspace, Settings()), model, progress, trials, mitigate=mitigate
        )
    show_run(screen, model, run)
    screen.result(
        {
            "model": model,
            "version": run.version.version,
            "run_id": run.version.run_id,
            "holdout": run.holdout,
            "judged": run.judged,
            "methods": run.comparison,
            "files_digest": run.version.tags[FILES_DIGEST],
        }
    )


def train_model(
    workspace: Workspace,
    model: str,
    progress: Progress,
    trials: int = 0,
    *,
    mitigate: bool = False,
) -> TrainingRun:
    """Train one model of a workspace."""
    options = TrainingOptions(trials, mitigate)
    shop = Shop(workspace)
    tracking = Tracking.of(workspace, shop.database)
    return train_task(task(model), shop, tracking, progress, options=options)


def show_run(screen: Screen, model: str, run: TrainingRun) -> None:
    """Say how a run compares, and what may be done with its version."""
    metrics = task(model).printed
    title = (
        f"{model.replace('_', ' ')}: judged on {run.judged:,} {task(model).card.judged} from"
        f" {run.holdout}, never seen in training"
    )
    screen.table(title, ("method", *metrics), comparison_rows(run.comparison, metrics))
    screen.say(
        f"SHA-256 of the model's files: {run.version.tags[FILES_DIGEST]}; the same data, ledger and"
        " seed give the same."
    )
    screen.say(
        f"Version {run.version.version} is the challenger; `sayso promote {model}` makes it answer."
    )


def _weighing_groups() -> str:
    """The models for which groups can be weighed, by name."""
    return ", ".join(name for name in task_names() if task(name).weighs_groups)


def score(
    what: Annotated[Scored, typer.Argument(help="What to score for.")],
    out: Annotated[
        Path,
        typer.Option("--out", help="File to write: Parquet, or CSV by its ending.", dir_okay=False),
    ],
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    *,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Write the probability, band, contributions and reasons of every customer who may be
    scored.
    """
    screen = Screen(as_json=as_json)
    sayso = assembled(Workspace.open(workspace, Settings()))
    champion = sayso.registry.by_alias(what.value, CHAMPION)
    if champion is None:
        raise ModelUnavailable(
            f"there is no champion for `{what.value}`; `sayso train {what.value}` and `sayso"
            f" promote {what.value}` make one"
        )
    if sayso.churn.champion is None:
        sayso.registry.folder(champion)  # raises what is the matter with its files
        raise ModelUnavailable(
            f"version {champion.version} of `{what.value}` is champion, and may not or cannot"
            " answer; see the log above"
        )
    with screen.progress() as progress:
        frame = churn_scores(sayso, progress)
    if out.suffix.lower() == ".csv":
        frame.to_csv(out, index=False)
    else:
        frame.to_parquet(out, index=False)
    bands = frame["band"].value_counts().to_dict()
    counts = ", ".join(f"{name} {bands.get(name, 0):,}" for name in ("high", "medium", "low"))
    screen.say(f"[bold]{out}[/bold]: {len(frame):,} customers; {counts}.")
    screen.result({"file": str(out), "customers": len(frame), "bands": bands})
