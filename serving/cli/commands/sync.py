"""`sayso sync`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from features.config.environment import Settings
from features.shop.shop import Shop
from features.shop.workspace import Workspace
from serving.cli.commands.data import ACCEPTED, show_ingest
from serving.cli.options import DEFAULT_WORKSPACE, DebugOption, JsonOption, WorkspaceOption
from serving.cli.screen import Screen
from serving.operations.sync import SyncReport, sync


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("sync")(keep_in_step)


def keep_in_step(
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    *,
    accept: Annotated[
        float,
        typer.Option(
            "--accept", min=0.0, max=1.0, help="The share of a source's lines that may be rejected."
        ),
    ] = ACCEPTED,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """For a scheduler: load the sources, refresh, delete what is past its retention, train what is
    due and promote it past its gates.
    """
    screen = Screen(as_json=as_json)
    shop = Shop(Workspace.open(workspace, Settings()))
    with screen.progress() as progress:
        report = sync(shop, progress, accept)
    _show(screen, report)
    screen.result({**_told(report), "complete": report.complete})
    if not report.complete:
        raise typer.Exit(1)


def _show(screen: Screen, report: SyncReport) -> None:
    if report.ingest is not None:
        show_ingest(screen, report.ingest)
    if report.upkeep is not None:
        screen.say(
            f"{report.upkeep.expired:,} consents ran out; {len(report.upkeep.deleted):,} kinds of"
            " data were past their retention."
        )
    screen.table(
        "Models",
        ("model", "due", "outcome", "why"),
        [(one.model, one.due or "no", one.outcome, one.reason) for one in report.models],
    )
    for fault in report.faults:
        screen.say(f"[bold]Failed:[/bold] {fault}")


def _told(report: SyncReport) -> dict[str, object]:
    told = asdict(report)
    if report.ingest is not None:
        files = [str(file) for file in report.ingest.rejected_files]
        told["ingest"] = {**told["ingest"], "rejected_files": files}
    return told
