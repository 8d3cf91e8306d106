"""`sayso serve`."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from serving.cli.options import DEFAULT_WORKSPACE, DebugOption, WorkspaceOption


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("serve")(serve)


def serve(
    port: Annotated[
        int, typer.Option("--port", min=1, max=65_535, help="Port to listen on.")
    ] = 3000,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    *,
    debug: DebugOption = False,
) -> None:
    """Run the HTTP service until Ctrl-C."""
    # imported here, since they take most of a second that `sayso serve --help` does without
    from features.config.environment import Settings  # noqa: PLC0415 - see above
    from features.shop.workspace import Workspace  # noqa: PLC0415 - see above
    from serving.cli.adoption import adopt_models  # noqa: PLC0415 - see above
    from serving.server import base_url, command, environment, require_free  # noqa: PLC0415 - see above

    opened = Workspace.open(workspace, Settings())
    require_free(port)
    # Which also brings the schema up to date, before several workers could try.
    adopt_models(opened)
    sys.stdout.write(
        f"Sayso serves {opened.config.shop.name} on {base_url(opened, port)}; Ctrl-C stops it.\n"
    )
    sys.stdout.flush()
    os.execve(sys.executable, command(port), environment(opened, port))  # noqa: S606 - our own command, in place of this process
