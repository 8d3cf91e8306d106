"""`sayso promote`: forward past the gates, and back."""

from __future__ import annotations

from typing import Annotated

import typer

from experiments.promotion.gates import judge
from experiments.promotion.rollout import promote, roll_back
from features.config.environment import Settings
from features.shop.shop import Shop
from features.shop.workspace import Workspace
from models.tracking import Tracking
from serving.cli.options import (
    DEFAULT_WORKSPACE,
    DebugOption,
    JsonOption,
    ModelArgument,
    WorkspaceOption,
)
from serving.cli.screen import Screen


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("promote")(make_champion)


def make_champion(
    model: ModelArgument,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    override: Annotated[
        str | None,
        typer.Option(
            "--override",
            metavar="REASON",
            help="Promote in spite of failing gates; the reason is kept and shown.",
        ),
    ] = None,
    rollback: Annotated[
        bool, typer.Option("--rollback", help="Put the version back that was champion before.")
    ] = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Check the gates and make the challenger champion, or refuse with the gate that failed and its
    figure; or go back by one champion.
    """
    if rollback and override is not None:
        raise typer.BadParameter(
            "going back passes no gate, so there is none to override", param_hint="--override"
        )
    screen = Screen(as_json=as_json)
    shop = Shop(Workspace.open(workspace, Settings()))
    tracking = Tracking.of(shop.workspace, shop.database)
    asks = not yes and not as_json
    if rollback:
        _back(screen, shop, tracking, model, asks=asks)
    else:
        _forward(screen, shop, tracking, model, override, asks=asks)


def _forward(
    screen: Screen, shop: Shop, tracking: Tracking, model: str, reason: str | None, *, asks: bool
) -> None:
    challenger, results = judge(shop, tracking, model)
    rows = [
        (result.gate, "passed" if result.passed else "FAILED", result.figure) for result in results
    ]
    screen.table(f"Gates of {model} version {challenger.version}", ("gate", "", "figure"), rows)
    if asks and (reason is not None or all(result.passed for result in results)):
        typer.confirm("Make it champion?", abort=True)
    override = promote(tracking, challenger, results, shop.clock(), reason)
    screen.say(
        f"Version {challenger.version} of {model} is champion; a running service takes it up within"
        " seconds."
    )
    if override:
        screen.say(
            f"In spite of: {override['gates']}. The reason stays with the version:"
            f" {override['reason']}"
        )
    gates = {result.gate: {"passed": result.passed, "figure": result.figure} for result in results}
    screen.result(
        {
            "model": model,
            "version": challenger.version,
            "gates": gates,
            "override": override or None,
        }
    )


def _back(screen: Screen, shop: Shop, tracking: Tracking, model: str, *, asks: bool) -> None:
    if asks:
        typer.confirm(f"Put the version of {model} back that was champion before?", abort=True)
    left, back = roll_back(shop, tracking, model)
    screen.say(
        f"Version {back.version} of {model} is champion again, in place of {left.version}; a"
        " running service takes it up within seconds."
    )
    screen.result({"model": model, "version": back.version, "instead_of": left.version})
