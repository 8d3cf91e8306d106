"""`sayso train`, `sayso promote`, `sayso score`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from experiments.churn import train_churn
from experiments.next_purchase import train_next_purchase
from experiments.promotion import judge, promote
from experiments.run import TrainingRun
from experiments.taint import fresh
from features.errors import ModelUnavailable
from features.progress import Progress
from features.settings import Settings
from features.shop import Shop
from features.workspace import Workspace
from models.tracking import Tracking
from serving.bootstrap import assemble
from serving.churn_scores import churn_scores
from serving.cli.options import DEFAULT_WORKSPACE, DebugOption, JsonOption, ModelChoice, WorkspaceOption
from serving.cli.screen import Screen, comparison_rows

METRICS = {ModelChoice.CHURN: ("auc", "log_loss", "ece", "brier"), ModelChoice.NEXT_PURCHASE: ("recall@10", "ndcg@10", "phr@10")}


class Scored(StrEnum):
    """What customers are scored for in a batch."""

    CHURN = "churn"


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    app.command("train")(train)
    app.command("promote")(make_champion)
    app.command("score")(score)


def train(
    model: Annotated[ModelChoice, typer.Argument(help="Which model.")],
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    trials: Annotated[int, typer.Option("--trials", min=0, help="Try so many other settings first, within the past; 0: the defaults.")] = 0,
    *,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Train a model, compare it with its baselines, log it to MLflow and register it as challenger."""
    screen = Screen(as_json=as_json)
    with screen.progress() as progress:
        run = train_model(Workspace.open(workspace, Settings()), model, progress, trials)
    show_run(screen, model, run)
    screen.say(f"Version {run.version.version} is the challenger; `sayso promote {model}` makes it answer.")
    screen.result(
        {
            "model": model.value,
            "version": run.version.version,
            "run_id": run.version.run_id,
            "holdout": run.holdout,
            "judged": run.judged,
            "methods": run.comparison,
        }
    )


def train_model(workspace: Workspace, model: ModelChoice, progress: Progress, trials: int = 0) -> TrainingRun:
    """Train either model of a workspace."""
    shop, tracking = Shop(workspace), Tracking.of(workspace)
    trained = train_churn if model is ModelChoice.CHURN else train_next_purchase
    return trained(shop, tracking, progress, trials=trials)


def show_run(screen: Screen, model: ModelChoice, run: TrainingRun) -> None:
    """How a run compares."""
    judged = "customers" if model is ModelChoice.CHURN else "orders"
    title = f"{model.value.replace('_', ' ')}: judged on {run.judged:,} {judged} from {run.holdout}, never seen in training"
    screen.table(title, ("method", *METRICS[model]), comparison_rows(run.comparison, METRICS[model]))


def make_champion(
    model: Annotated[ModelChoice, typer.Argument(help="Which model.")],
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Check the gates and make the challenger champion; refuse with the gate that failed and its figure."""
    screen = Screen(as_json=as_json)
    shop = Shop(Workspace.open(workspace, Settings()))
    tracking = Tracking.of(shop.workspace)
    challenger, results = judge(tracking, model.value, [fresh(shop)])
    rows = [(result.gate, "passed" if result.passed else "FAILED", result.figure) for result in results]
    screen.table(f"Gates of {model.value} version {challenger.version}", ("gate", "", "figure"), rows)
    if all(result.passed for result in results) and not yes and not as_json:
        typer.confirm("Make it champion?", abort=True)
    promote(tracking, challenger, results)
    screen.say(f"Version {challenger.version} of {model.value} is champion; a running service takes it up within seconds.")
    screen.result(
        {"model": model.value, "version": challenger.version, "gates": {r.gate: {"passed": r.passed, "figure": r.figure} for r in results}}
    )


def score(
    what: Annotated[Scored, typer.Argument(help="What to score for.")],
    out: Annotated[Path, typer.Option("--out", help="File to write: Parquet, or CSV by its ending.", dir_okay=False)],
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    *,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Write the probability, band, contributions and reasons of every customer who may be scored."""
    screen = Screen(as_json=as_json)
    sayso = assemble(Workspace.open(workspace, Settings()), "")
    sayso.watch.look()
    if sayso.tracking.by_alias(what.value, "champion") is None:
        raise ModelUnavailable(
            f"there is no champion for `{what.value}`; `sayso train {what.value}` and `sayso promote {what.value}` make one"
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
