"""`sayso keys create`, `list`, `revoke`."""

from __future__ import annotations

from typing import Annotated

import typer

from features.config.environment import Settings
from features.shop.shop import Shop
from features.shop.workspace import Workspace
from serving.access.api_keys import EVERY_SCOPE, SCOPES, Keys
from serving.cli.options import DEFAULT_WORKSPACE, DebugOption, JsonOption, WorkspaceOption
from serving.cli.screen import Screen

app = typer.Typer(help="API keys of the service.", no_args_is_help=True, rich_markup_mode=None)


def register(root: typer.Typer) -> None:
    """Add the commands to `root`."""
    root.add_typer(app, name="keys")


@app.command("create")
def create(
    scope: Annotated[
        list[str],
        typer.Option(
            "--scope",
            help=f"What the key may do; repeat it: {', '.join(SCOPES)}, or {EVERY_SCOPE}.",
        ),
    ],
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    *,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Make a key. Its secret is shown once, here."""
    screen = Screen(as_json=as_json)
    key, secret = _keys(workspace).create([name for part in scope for name in part.split(",")])
    screen.say(
        f"Key {key.id} for {', '.join(sorted(key.scopes))}. Keep its secret; it cannot be shown"
        " again:"
    )
    screen.say(f"[bold]{secret}[/bold]")
    screen.result({"id": key.id, "key": secret, "scopes": sorted(key.scopes)})


@app.command("list")
def list_(
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    *,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """List the keys, without their secrets."""
    screen = Screen(as_json=as_json)
    known = _keys(workspace).list()
    if not known:
        screen.say("There is no key yet; make one with `sayso keys create --scope all`.")
    else:
        rows = [
            (key.id, " ".join(sorted(key.scopes)), key.created_at, key.revoked_at or "in force")
            for key in known
        ]
        screen.table("API keys", ("id", "scopes", "created", "revoked"), rows)
    screen.result(
        {
            "keys": [
                {
                    "id": k.id,
                    "scopes": sorted(k.scopes),
                    "created_at": k.created_at,
                    "revoked_at": k.revoked_at,
                }
                for k in known
            ]
        }
    )


@app.command("revoke")
def revoke(
    id: Annotated[str, typer.Argument(metavar="ID", help="The key's id, as `list` shows it.")],
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    *,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Make a key useless from now on."""
    screen = Screen(as_json=as_json)
    _keys(workspace).revoke(id)
    screen.say(f"Key {id} is revoked.")
    screen.result({"id": id, "revoked": True})


def _keys(workspace: WorkspaceOption) -> Keys:
    return Keys(Shop(Workspace.open(workspace, Settings())).database)
