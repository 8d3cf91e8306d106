"""`sayso init`, `sayso ingest`, `sayso features`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from features.config.environment import Settings
from features.config.reading import read_config
from features.config.sources import Source
from features.definitions.frames import feature_frame
from features.intake.health.record import HealthRecord, Load
from features.intake.ingest import ingest
from features.intake.ingest_report import IngestReport
from features.intake.setup.guess import LAYOUT, Guess
from features.intake.setup.new_workspace import create
from features.shop.online import refresh_online
from features.shop.shop import Shop
from features.shop.workspace import Workspace
from serving.cli.data_health import show_loads, show_oddities
from serving.cli.options import (
    DEFAULT_WORKSPACE,
    DebugOption,
    JsonOption,
    ModelChoice,
    WorkspaceOption,
)
from serving.cli.screen import Screen

ACCEPTED = 0.02
"""The share of a source's lines that may be rejected unless the owner says otherwise."""


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    app.command("init")(init)
    app.command("ingest")(load)
    app.command("features")(features)


def init(
    directory: Annotated[
        Path,
        typer.Argument(metavar="DIR", help="Folder to make the workspace in.", file_okay=False),
    ],
    source: Annotated[
        list[Path] | None,
        typer.Option(
            "--from",
            help="Orders to recognise: a file, a folder or an archive; may be given several times.",
        ),
    ] = None,
    more: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[FILE]...", help="More files, after --from FILE.", hidden=True),
    ] = None,
    *,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Make a workspace: `sayso.toml` with the sources, the field catalog, horizons and defaults."""
    screen = Screen(as_json=as_json)
    guesses = create(directory, [*(source or []), *(more or [])])
    screen.say(f"[bold]{directory / 'sayso.toml'}[/bold] is written.")
    if guesses:
        show_guesses(screen, guesses)
    screen.say(
        f"Read it, change what is wrong, then: [bold]sayso ingest --workspace {directory}[/bold]"
    )
    sources = read_config(directory / "sayso.toml").sources
    screen.result(
        {
            "workspace": str(directory),
            "sources": [_told(source, guesses) for source in sources] if guesses else [],
            "guesses": [asdict(guess) for guess in guesses],
        }
    )


def show_guesses(screen: Screen, guesses: Sequence[Guess]) -> None:
    """What was recognised in the files, for the owner to look at."""
    rows = [
        (guess.column, guess.found or "-", "" if guess.sure else "please check", guess.why)
        for guess in guesses
    ]
    screen.table("What was recognised", ("column", "taken from", "", "why"), rows)


def _told(source: Source, guesses: Sequence[Guess]) -> dict[str, object]:
    """A source as it was recognised."""
    mine = [guess for guess in guesses if guess.source == source.name]
    layout = next((guess.found for guess in mine if guess.column == LAYOUT), None)
    return {
        "file": source.file,
        "layout": layout,
        "columns": source.columns,
        "sure": all(guess.sure for guess in mine if guess.column in source.columns),
    }


def load(
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    *,
    accept: Annotated[
        float,
        typer.Option(
            "--accept",
            min=0.0,
            max=1.0,
            help="The share of a source's lines that may be rejected; with more nothing is loaded.",
        ),
    ] = ACCEPTED,
    whole: Annotated[
        bool, typer.Option("--all", help="Read all sources anew, and not what is new alone.")
    ] = False,
    health: Annotated[
        bool,
        typer.Option("--health", help="Load nothing; show the loads so far and what was odd."),
    ] = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Load or refresh the warehouse from the sources in `sayso.toml`; of what was loaded before
    only what is new is read.
    """
    screen = Screen(as_json=as_json)
    shop = Shop(Workspace.open(workspace, Settings()))
    if health:
        _show_loads(screen, HealthRecord(shop.workspace.data_health).loads())
        return
    with screen.progress() as progress:
        report = ingest(shop.workspace, shop.database, progress, accept=accept, whole=whole)
        refresh_online(shop)
    show_ingest(screen, report)
    screen.result(
        {**asdict(report), "rejected_files": [str(file) for file in report.rejected_files]}
    )


def _show_loads(screen: Screen, loads: Sequence[Load]) -> None:
    """The record of all loads, and what was odd about them."""
    show_loads(screen, loads)
    screen.result({"loads": [asdict(load) for load in loads]})


def show_ingest(screen: Screen, report: IngestReport) -> None:
    """What was loaded and what was not."""
    screen.say(
        f"Loaded [bold]{report.kept:,}[/bold] of {report.read:,} lines: {report.orders:,} orders of"
        f" {report.customers:,} customers, {report.products:,} products, {report.first:%Y-%m-%d} to"
        f" {report.last:%Y-%m-%d}."
    )
    if report.over_http:
        screen.say(f"With them are {report.over_http:,} that were sent over HTTP.")
    aside = ", ".join(
        f"{rule.replace('_', ' ')} {count:,}" for rule, count in report.set_aside.items() if count
    )
    if aside:
        screen.say(f"Set aside by the cleaning rules: {aside}.")
    if report.interactions:
        kinds = (f"{kind.replace('_', ' ')} {n:,}" for kind, n in report.interactions.items())
        screen.say(f"Interactions: {', '.join(kinds)}.")
    bought = report.purchases
    rows: list[tuple[object, ...]] = [
        (
            "purchases",
            f"{bought.lines:,}",
            f"{bought.orders:,}",
            f"{bought.customers:,}",
            f"{bought.units:,.0f}",
            f"{bought.gross:,.2f}",
            f"{bought.net:,.2f}",
        )
    ]
    rows += [
        (rule.replace("_", " "), f"{found.lines:,}", f"{found.orders:,}", "", "", "", "")
        for rule, found in report.by_status.items()
    ]
    columns = ("", "lines", "orders", "customers", "units", f"gross {bought.currency}", "net")
    screen.table("Is this your shop?", columns, rows)
    for fault in report.not_read.values():
        screen.say(f"[bold]Not read:[/bold] {fault}.")
    if report.rejected:
        files = ", ".join(str(file) for file in report.rejected_files)
        lines = "1 line was" if report.rejected == 1 else f"{report.rejected:,} lines were"
        screen.say(f"[bold]{lines} rejected[/bold]; {files} has each with its line and the reason.")
    if report.health is not None:
        show_oddities(screen, report.health.oddities)


AsOfOption = Annotated[
    datetime,
    typer.Option(
        "--as-of",
        help="The moment that the features speak for.",
        formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"],
    ),
]
PseudonymsOption = Annotated[
    bool,
    typer.Option(
        "--pseudonyms", help="Write Sayso's random numbers in place of the shop's customer ids."
    ),
]


def features(
    as_of: AsOfOption,
    out: Annotated[Path, typer.Option("--out", help="Parquet file to write.", dir_okay=False)],
    model: Annotated[
        ModelChoice, typer.Option("--model", help="Whose features.")
    ] = ModelChoice.CHURN,
    pseudonyms: PseudonymsOption = False,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    *,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Write the consented feature frame as Parquet: `NaN` where a customer withholds what a feature
    reads.
    """
    screen = Screen(as_json=as_json)
    shop = Shop(Workspace.open(workspace, Settings()))
    section = getattr(shop.config.models, model.value)
    frame = feature_frame(shop.gate(section.purpose), section.features, as_of, shop.facts)
    if not pseudonyms:
        ids = shop.customers.external_ids(frame["customer"].unique().tolist())
        frame.insert(0, "customer_id", frame.pop("customer").map(ids).astype("str"))
    frame.to_parquet(out, index=False)
    withheld = float(frame[list(section.features)].isna().mean().mean())
    screen.say(
        f"[bold]{out}[/bold]: {len(frame):,} rows, {len(section.features)} features, {withheld:.1%}"
        " of the values are withheld or absent."
    )
    names = list(section.features)
    screen.result({"file": str(out), "rows": len(frame), "features": names, "missing": withheld})
