"""`sayso customer export`, `erase`, `correct`: a customer's rights; `revoke-links`: their links."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from features.config.environment import Settings
from features.shop.corrections import Correction, correct
from features.shop.shop import Shop
from features.shop.workspace import Workspace
from serving.access.caller import AT_COMMAND_LINE
from serving.access.revocations import Revocations, Revoked
from serving.cli.options import (
    DEFAULT_WORKSPACE,
    CustomerArgument,
    DebugOption,
    JsonOption,
    WorkspaceOption,
)
from serving.cli.screen import Screen
from serving.rights.rights import Rights

app = typer.Typer(
    help="A customer's rights: to see, to correct, to be erased.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


def register(root: typer.Typer) -> None:
    """Add the commands to `root`."""
    root.add_typer(app, name="customer")


@app.command("export")
def export(
    customer: CustomerArgument,
    out: Annotated[Path, typer.Option("--out", help="JSON file to write.", dir_okay=False)],
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    *,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Write everything held of a customer to one file, with a few plain words for the reader."""
    screen = Screen(as_json=as_json)
    document = Rights(Shop(Workspace.open(workspace, Settings()))).export(customer)
    out.write_text(
        json.dumps(document, indent=1, ensure_ascii=False, default=str) + "\n", encoding="utf-8"
    )
    screen.say(
        f"[bold]{out}[/bold] holds everything that is kept of this customer. It is personal data:"
        " hand it to them and delete it."
    )
    screen.result({"file": str(out), "sections": list(document)})


@app.command("erase")
def erase(
    customer: CustomerArgument,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Erase a customer from every store, keep them out of later imports, and print a receipt."""
    screen = Screen(as_json=as_json)
    rights = Rights(Shop(Workspace.open(workspace, Settings())))
    if screen.asks and not yes:
        typer.confirm("This cannot be undone. Erase this customer?", abort=True)
    receipt = rights.erase(customer)
    rows = [(one["store"], one["found_before"], one["found_after"]) for one in receipt["stores"]]
    screen.table(f"Receipt {receipt['erasure_id']}", ("store", "found before", "found after"), rows)
    for one in receipt["stores"]:
        if one["remains"]:
            screen.say(f"[dim]{one['store']}: what stays is {one['remains']}.[/dim]")
    screen.say(f"{receipt['kept_out']} {receipt['outside']}")
    screen.result(receipt)


@app.command("correct")
def put_right(
    customer: CustomerArgument,
    field: Annotated[
        str, typer.Option("--field", help="The field to correct, such as `customers.country`.")
    ],
    value: Annotated[str, typer.Option("--value", help="The right value.")],
    order: Annotated[
        str | None,
        typer.Option("--order", help="Which order it is about, for a field of `transactions`."),
    ] = None,
    product: Annotated[
        str | None, typer.Option("--product", help="Which product of that order.")
    ] = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    *,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Put a customer's data right: at once, for every later answer, and after every later load of
    the sources.
    """
    screen = Screen(as_json=as_json)
    shop = Shop(Workspace.open(workspace, Settings()))
    changed = correct(
        shop,
        shop.customers.pseudonym(customer),
        Correction(field, value, order, product),
        AT_COMMAND_LINE.actor,
    )
    screen.say(f"[bold]{changed:,}[/bold] rows were put right. The next answer is made from them.")
    screen.result({"field": field, "rows": changed})


@app.command("revoke-links")
def revoke_links(
    customer: CustomerArgument,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    *,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Make every link to a customer's pages that was given out so far useless at once."""
    screen = Screen(as_json=as_json)
    shop = Shop(Workspace.open(workspace, Settings()))
    pseudonym = shop.customers.pseudonym(customer)
    Revocations(shop.database).revoke(Revoked.CUSTOMER, str(pseudonym))
    screen.say("No link to this customer's pages works any more; the next answer holds new ones.")
    screen.result({"revoked": True})
