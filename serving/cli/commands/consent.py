"""`sayso consent import`, `show`, `verify`, `rebuild`, `anchor`, `receipts`, `simulate`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from features.config.environment import Settings
from features.config.section import known_zone
from features.consent.simulated import simulated_consents
from features.consent.timing import WORDS
from features.consent.verification import rebuild_state, verify_ledger
from features.errors import NotFound
from features.shop.consent_import import ImportReport, import_consents
from features.shop.consent_receipt import consent_receipt
from features.shop.online import refresh_online
from features.shop.shop import Shop
from features.shop.workspace import Workspace
from serving.cli.options import (
    DEFAULT_WORKSPACE,
    CustomerArgument,
    DebugOption,
    JsonOption,
    WorkspaceOption,
)
from serving.cli.screen import Screen
from serving.decisions.record import verify_decisions

app = typer.Typer(
    help="What customers granted, refused and withdrew.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


def register(root: typer.Typer) -> None:
    """Add the commands to `root`."""
    root.add_typer(app, name="consent")


def _zone(name: str | None) -> str | None:
    try:
        return None if name is None else known_zone(name)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


@app.command("import")
def import_(
    file: Annotated[
        Path,
        typer.Argument(
            help=(
                "CSV or Parquet: customer_id, purpose, category, action, notice_version, method,"
                " occurred_at."
            )
        ),
    ],
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    *,
    time_zone: Annotated[
        str | None,
        typer.Option(
            "--time-zone",
            help="Zone of times without an offset, such as Europe/Athens; else that of sayso.toml.",
            callback=_zone,
        ),
    ] = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Bring consents in with their evidence: all of the file's events, or none if one of them
    breaks a rule.
    """
    screen = Screen(as_json=as_json)
    shop = Shop(Workspace.open(workspace, Settings()))
    with screen.progress() as progress:
        progress("writing to the ledger", 0.1)
        report = import_consents(file, shop, time_zone)
        if report.added:
            progress("making online features anew", 0.7)
            _refresh(shop)
    _show_import(screen, report, loaded=shop.warehouse.filled)
    screen.result({**asdict(report), "ledger_seq": shop.ledger.position()})


def _show_import(screen: Screen, report: ImportReport, *, loaded: bool) -> None:
    if report.contact_permissions:
        screen.say(
            f"[bold]{report.contact_permissions:,}[/bold] contact permissions were kept. They say"
            " who may be written to. They allow [bold]no use of data[/bold]: nothing was added to"
            " the ledger, and nobody's data is used because of them."
        )
    if report.preferred_channels:
        screen.say(
            f"Of [bold]{report.preferred_channels:,}[/bold] customers the channel that they prefer"
            " was kept: audiences name it first."
        )
    if not (report.contact_permissions or report.preferred_channels):
        screen.say(
            f"[bold]{report.added:,}[/bold] events were added to the ledger; {report.repeated:,}"
            " were in it before."
        )
        for rule, count in report.by_rule.items():
            screen.say(f"[bold]{count:,}[/bold] events by the rule `{rule}`: {WORDS[rule]}")
        _show_strangers(screen, report, loaded=loaded)
    if report.erased:
        screen.say(f"{report.erased:,} rows of customers who were erased were left out.")


@app.command("show")
def show(
    customer: CustomerArgument,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    *,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Show a customer's consents as they stand, and how it came to that."""
    screen = Screen(as_json=as_json)
    shop = Shop(Workspace.open(workspace, Settings()))
    pseudonym = _pseudonym(shop, customer)
    state, history = shop.ledger.state(pseudonym), shop.ledger.history(pseudonym)
    rows = [
        (
            s["purpose"],
            s["category"],
            s["action"],
            "yes" if s["allowed"] else "no",
            s["valid_until"] or "",
        )
        for s in state
    ]
    screen.table(f"Customer {customer}", ("purpose", "category", "stands", "used", "until"), rows)
    columns = ("seq", "occurred_at", "purpose", "category", "action", "method", "rule")
    screen.table(
        "History",
        columns,
        [[event[name] if event[name] is not None else "" for name in columns] for event in history],
    )
    screen.result(
        {
            "customer_id": customer,
            "state": state,
            "history": [{k: v for k, v in e.items() if k != "customer"} for e in history],
        }
    )


@app.command("verify")
def verify(
    anchor: Annotated[
        list[Path] | None,
        typer.Option(
            "--anchor",
            help="An anchor that the ledger has to contain; may be given several times.",
            dir_okay=False,
        ),
    ] = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    *,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Check the chains of the ledger and of the decisions: that nothing was altered, moved,
    inserted or removed.
    """
    screen = Screen(as_json=as_json)
    shop = Shop(Workspace.open(workspace, Settings()))
    anchors = [shop.anchors.read(file) for file in anchor or []]
    events = verify_ledger(shop.database, shop.config.catalog, anchors)
    with shop.database.read() as connection:
        decided = verify_decisions(connection)
    screen.say(
        f"The chain holds over all {events:,} events of the ledger and all {decided:,} decisions."
    )
    if anchors:
        screen.say(
            f"It contains {'the anchor' if len(anchors) == 1 else f'all {len(anchors)} anchors'}."
        )
    screen.result({"events": events, "decisions": decided, "anchors": len(anchors), "holds": True})


@app.command("rebuild")
def rebuild(
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    *,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Make the state that answers obey anew from the events of the ledger, whose chain has to
    hold.
    """
    screen = Screen(as_json=as_json)
    shop = Shop(Workspace.open(workspace, Settings()))
    events = rebuild_state(shop.database)
    _refresh(shop)
    screen.say(f"The state was made anew from all {events:,} events.")
    screen.result({"events": events})


@app.command("anchor")
def anchor(
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            help="File to write; keep it where nobody of the shop can change it.",
            dir_okay=False,
        ),
    ],
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    *,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Write a signed statement of how far the ledger has come, which `verify` can be held against
    later.
    """
    screen = Screen(as_json=as_json)
    taken = Shop(Workspace.open(workspace, Settings())).anchors.take()
    out.write_text(json.dumps(taken.document(), indent=1) + "\n", encoding="utf-8")
    screen.say(
        f"[bold]{out}[/bold]: event {taken.seq:,}, hash {taken.hash[:16]}…, signed. Keep it outside"
        " of this machine."
    )
    screen.result({"file": str(out), **taken.document()})


@app.command("receipts")
def receipts(
    customer: CustomerArgument,
    out: Annotated[Path, typer.Option("--out", help="JSON file to write.", dir_okay=False)],
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    *,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Write a customer's consents as receipts in the structure of ISO/IEC TS 27560."""
    screen = Screen(as_json=as_json)
    shop = Shop(Workspace.open(workspace, Settings()))
    document = consent_receipt(shop, _pseudonym(shop, customer), customer)
    out.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    screen.say(f"[bold]{out}[/bold]: {len(document['processing']):,} purposes.")
    screen.result({"file": str(out), "purposes": len(document["processing"])})


@app.command("simulate")
def simulate(
    seed: Annotated[int, typer.Option(help="Seed of the simulation.")] = 7,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    *,
    everything: Annotated[
        bool, typer.Option("--everything", help="Every customer grants everything.")
    ] = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Make consents up for data that comes without any, for experiments; the ledger marks them as
    simulated.
    """
    screen = Screen(as_json=as_json)
    shop = Shop(Workspace.open(workspace, Settings()))
    customer_ids = sorted(shop.customers.all().values())
    receipts = shop.ledger.append_all(
        simulated_consents(shop.config.catalog, customer_ids, seed, everything=everything)
    )
    _refresh(shop)
    screen.say(
        f"[bold]{len(receipts):,}[/bold] simulated events of {len(customer_ids):,} customers were"
        " added to the ledger."
    )
    screen.result(
        {
            "added": len(receipts),
            "customers": len(customer_ids),
            "ledger_seq": shop.ledger.position(),
        }
    )


def _show_strangers(screen: Screen, report: ImportReport, *, loaded: bool) -> None:
    """Whose consents came of whom the shop knows no orders, and whether the ids may be why."""
    if not loaded:
        screen.say(
            "No orders are loaded yet that the file's ids could be held against; [bold]sayso"
            " ingest[/bold] loads them."
        )
        return
    if report.without_orders:
        screen.say(
            f"The shop knows no orders of [bold]{report.without_orders:,}[/bold] of the file's"
            f" {report.customers:,} customers."
        )
    if report.ids_in_file is not None:
        screen.say(
            f"A customer's id is [bold]{report.ids_in_orders}[/bold] in the orders; the file has"
            f" [bold]{report.ids_in_file}[/bold] for these. If they are customers of the orders,"
            " write their ids as the orders do (spreadsheets drop zeros at the beginning) and"
            " import the file again: until then nothing is used of what they allowed."
        )


def _pseudonym(shop: Shop, customer: str) -> int:
    if (pseudonym := shop.customers.find(customer)) is None:
        raise NotFound(
            f"there is no customer {customer!r}; nothing of theirs was ingested, and no consent"
            " recorded"
        )
    return pseudonym


def _refresh(shop: Shop) -> None:
    """Consents may come before the first ingest; there are no features to prepare then."""
    if shop.warehouse.filled:
        refresh_online(shop)
