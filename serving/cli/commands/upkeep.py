"""`sayso upkeep` and `sayso vault rotate`: what an operator runs on a schedule."""

from __future__ import annotations

from dataclasses import asdict

import typer

from features.config.environment import Settings
from features.shop.shop import Shop
from features.shop.workspace import Workspace
from serving.cli.options import DEFAULT_WORKSPACE, DebugOption, JsonOption, WorkspaceOption
from serving.cli.screen import Screen
from serving.rights.upkeep import upkeep

vault = typer.Typer(
    help="The keys that personal data is encrypted with.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
vault.callback()(lambda: None)


def register(root: typer.Typer) -> None:
    """Add the commands to `root`."""
    root.command("upkeep")(keep_up)
    root.add_typer(vault, name="vault")


def keep_up(
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    *,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Record consents that ran out and delete what is past its retention; for a scheduler, once a
    day.
    """
    screen = Screen(as_json=as_json)
    with screen.progress() as progress:
        report = upkeep(Shop(Workspace.open(workspace, Settings())), progress)
    screen.say(
        f"[bold]{report.expired:,}[/bold] consents ran out. The content of"
        f" {report.decisions_emptied:,} old decisions was deleted."
    )
    if report.erased:
        screen.say(f"[bold]{report.erased:,}[/bold] erasures that were not complete were finished.")
    if report.deleted:
        screen.table(
            "Deleted, past its retention",
            ("field (or whole rows of a table)", "values"),
            list(report.deleted.items()),
        )
    else:
        screen.say("Nothing in the warehouse is past its retention.")
    for fault in report.not_read.values():
        screen.say(f"[bold]Not read:[/bold] {fault}.")
    screen.result(asdict(report))


@vault.command("rotate")
def rotate(
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    *,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Wrap all customers' keys with a new master key; if it is interrupted, call it again.

    With SAYSO_MASTER_KEY, first put the new key before the old one there, and take the old one away
    afterwards.
    """
    screen = Screen(as_json=as_json)
    count = Shop(Workspace.open(workspace, Settings())).vault.rotate()
    screen.say(f"[bold]{count:,}[/bold] keys are wrapped with the newest master key.")
    screen.result({"rewrapped": count})
