"""`sayso migrate`, `backup`, `restore` and `doctor`: what an operator does to a whole workspace."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from features.config.environment import Settings
from features.shop.workspace import Workspace
from serving.cli.options import DEFAULT_WORKSPACE, DebugOption, JsonOption, WorkspaceOption
from serving.cli.screen import Screen
from serving.operations.moving import Verified, migrate


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    app.command("migrate")(move)


def move(
    to: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="URL",
            help=(
                "Address of the empty database to go to, such as"
                " postgresql+psycopg://USER:PASSWORD@HOST/NAME or sqlite:////PATH/TO/FILE."
            ),
        ),
    ],
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    *,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Take everything that the database holds to another one, check it there and use that from now
    on; the old one becomes read-only. Stop the service first, and start it afterwards.
    """
    screen = Screen(as_json=as_json)
    with screen.progress() as progress:
        moved = migrate(Workspace.open(workspace, Settings()), to, progress)
    if moved.verified is not None:
        _show(screen, moved.verified)
    screen.say(
        f"[bold]{moved.went_to}[/bold] is the workspace's database now; {moved.came_from} is"
        " read-only. Take SAYSO_DATABASE_URL away, or set it to the new address."
    )
    screen.result(asdict(moved))


def _show(screen: Screen, verified: Verified) -> None:
    screen.table(
        "What was copied, read back and found equal",
        ("table", "rows"),
        [(name.replace("_", " "), f"{rows:,}") for name, rows in verified.rows.items() if rows],
    )
    screen.say(
        f"The chains of {verified.events:,} consents and {verified.decisions:,} decisions hold;"
        f" {verified.kept_out:,} erased customers stay out; {verified.keys:,} keys open."
    )
