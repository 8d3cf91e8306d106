"""`sayso keys create`, `list`, `revoke`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from features.config.environment import Settings
from features.shop.shop import Shop
from features.shop.workspace import Workspace
from serving.access.api_keys import EVERY_SCOPE, SCOPES, Key, Keys
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
    name: Annotated[
        str | None,
        typer.Option("--name", help="What records call the key, such as `crm`; else its id."),
    ] = None,
    owner: Annotated[
        str | None,
        typer.Option(
            "--owner", help="Who answers for it, and reviews with it; else the key's name."
        ),
    ] = None,
    expires: Annotated[
        datetime | None,
        typer.Option(
            "--expires",
            formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ"],
            help="When it ends (UTC): a day, of which it is the beginning, or a moment.",
        ),
    ] = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    *,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Make a key. Its secret is shown once, here."""
    screen = Screen(as_json=as_json)
    scopes = [name for part in scope for name in part.split(",")]
    ends = None if expires is None else expires.replace(tzinfo=UTC)
    key, secret = _keys(workspace).create(scopes, name, owner, ends)
    screen.say(
        f"Key {key.id} for {', '.join(sorted(key.scopes))}. Keep its secret; it cannot be shown"
        " again:"
    )
    screen.say(f"[bold]{secret}[/bold]")
    screen.result({**_told(key), "key": secret})


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
            (
                key.id,
                key.name,
                key.owner,
                " ".join(sorted(key.scopes)),
                key.last_used_at or "never",
                key.expires_at or "never",
                key.revoked_at or "in force",
            )
            for key in known
        ]
        titles = ("id", "name", "owner", "scopes", "last used", "ends", "revoked")
        screen.table("API keys", titles, rows)
    screen.result({"keys": [_told(key) for key in known]})


@app.command("revoke")
def revoke(
    id: Annotated[str, typer.Argument(metavar="ID", help="The key's id, as `list` shows it.")],
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    *,
    keep_links: Annotated[
        bool,
        typer.Option(
            "--keep-links", help="Let the links that its answers held work until they end."
        ),
    ] = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Make a key useless from now on, and with it the links that its answers held."""
    screen = Screen(as_json=as_json)
    _keys(workspace).revoke(id, keep_links=keep_links)
    links = (
        "Links in its answers go on working." if keep_links else "So are the links it was given."
    )
    screen.say(f"Key {id} is revoked. {links}")
    screen.result({"id": id, "revoked": True, "links_revoked": not keep_links})


def _told(key: Key) -> dict[str, Any]:
    """A key as plain data."""
    return {**vars(key), "scopes": sorted(key.scopes)}


def _keys(workspace: WorkspaceOption) -> Keys:
    return Keys(Shop(Workspace.open(workspace, Settings())).database)
