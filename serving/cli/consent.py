"""`sayso consent import`, `show`, `verify`, `simulate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from features.consent_file import import_consents
from features.errors import NotFound
from features.online import refresh_online
from features.settings import Settings
from features.shop import Shop
from features.simulated_consents import simulated_consents
from features.workspace import Workspace
from serving.cli.options import DEFAULT_WORKSPACE, DebugOption, JsonOption, WorkspaceOption
from serving.cli.screen import Screen

app = typer.Typer(help="What customers granted, refused and withdrew.", no_args_is_help=True, rich_markup_mode=None)


def register(root: typer.Typer) -> None:
    """Add the commands to `root`."""
    root.add_typer(app, name="consent")


@app.command("import")
def import_(
    file: Annotated[
        Path, typer.Argument(help="CSV or Parquet: customer_id, purpose, category, action, notice_version, method, occurred_at.")
    ],
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    *,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Bring consents in with their evidence: all of the file's events, or none if one of them breaks a rule."""
    screen = Screen(as_json=as_json)
    shop = Shop(Workspace.open(workspace, Settings()))
    with screen.progress() as progress:
        progress("writing to the ledger", 0.1)
        added, repeated = import_consents(file, shop.ledger, shop.customers)
        progress("making online features anew", 0.7)
        _refresh(shop)
    screen.say(f"[bold]{added:,}[/bold] events were added to the ledger; {repeated:,} were in it before.")
    screen.result({"added": added, "repeated": repeated, "ledger_seq": shop.ledger.position()})


@app.command("show")
def show(
    customer: Annotated[str, typer.Argument(metavar="CUSTOMER", help="The shop's id of the customer.")],
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    *,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Show a customer's consents as they stand, and how it came to that."""
    screen = Screen(as_json=as_json)
    shop = Shop(Workspace.open(workspace, Settings()))
    pseudonym = shop.customers.find(customer)
    if pseudonym is None:
        raise NotFound(f"there is no customer {customer!r}; nothing of theirs was ingested, and no consent recorded")
    state, history = shop.ledger.state(pseudonym), shop.ledger.history(pseudonym)
    screen.table(f"Customer {customer}", ("purpose", "category", "stands"), [(s["purpose"], s["category"], s["action"]) for s in state])
    columns = ("seq", "received_at", "purpose", "category", "action", "method", "notice_version")
    screen.table("History", columns, [[event[name] if event[name] is not None else "" for name in columns] for event in history])
    screen.result({"customer_id": customer, "state": state, "history": [{k: v for k, v in e.items() if k != "customer"} for e in history]})


@app.command("verify")
def verify(workspace: WorkspaceOption = DEFAULT_WORKSPACE, *, as_json: JsonOption = False, debug: DebugOption = False) -> None:
    """Check the ledger's chain: that no event was altered, moved, inserted or removed."""
    screen = Screen(as_json=as_json)
    events = Shop(Workspace.open(workspace, Settings())).ledger.verify()
    screen.say(f"The chain holds over all {events:,} events.")
    screen.result({"events": events, "holds": True})


@app.command("simulate")
def simulate(
    seed: Annotated[int, typer.Option(help="Seed of the simulation.")] = 7,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    *,
    everything: Annotated[bool, typer.Option("--everything", help="Every customer grants everything.")] = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Make consents up for data that comes without any, for experiments; the ledger marks them as simulated."""
    screen = Screen(as_json=as_json)
    shop = Shop(Workspace.open(workspace, Settings()))
    customer_ids = sorted(shop.customers.all().values())
    receipts = shop.ledger.append_all(simulated_consents(shop.config.catalog, customer_ids, seed, everything=everything))
    _refresh(shop)
    screen.say(f"[bold]{len(receipts):,}[/bold] simulated events of {len(customer_ids):,} customers were added to the ledger.")
    screen.result({"added": len(receipts), "customers": len(customer_ids), "ledger_seq": shop.ledger.position()})


def _refresh(shop: Shop) -> None:
    """Consents may come before the first ingest; there are no features to prepare then."""
    if shop.warehouse.filled:
        refresh_online(shop)
