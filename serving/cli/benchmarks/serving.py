"""`sayso benchmark serving`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from features.config.environment import Settings
from features.shop.workspace import Workspace
from serving.cli.options import DEFAULT_WORKSPACE, DebugOption, JsonOption, WorkspaceOption
from serving.cli.screen import Screen
from serving.load.benchmark import BATCH, measure
from serving.load.event_batches import measure_events

TOLD = {"empty": "an empty BentoML endpoint", "sayso": "explained recommendations, recorded"}


def serving(
    seconds: Annotated[
        float, typer.Option("--seconds", min=0.5, help="Seconds for each figure.")
    ] = 10.0,
    workers: Annotated[int, typer.Option("--workers", min=1, help="Workers of ours.")] = 1,
    database: Annotated[
        str | None,
        typer.Option(
            "--database",
            help="Address of an empty database that the copy is moved to, as of PostgreSQL.",
        ),
    ] = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    *,
    events: Annotated[
        bool,
        typer.Option("--events", help="Time batches of 1,000 events in place of answers."),
    ] = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Time the service beside an empty BentoML endpoint, with one client and with eight, each
    asking for a random customer with the full explanation, and in batches of 1,000.

    A copy of the workspace answers; nothing is recorded in the workspace itself.
    """
    screen, opened = Screen(as_json=as_json), Workspace.open(workspace, Settings())
    with screen.progress() as progress:
        timed = measure_events if events else measure
        found: Mapping[str, Any] = timed(
            opened, seconds, progress, workers=workers, database_url=database
        )
    (_show_events if events else _show)(screen, found)
    screen.result(found)


def _show(screen: Screen, found: Mapping[str, Any]) -> None:
    for name, told in (("c1", "one client"), ("c8", "eight clients")):
        screen.table(
            told,
            ("", "requests/s", "p50 ms", "p99 ms", "failed"),
            [_row(TOLD[which], found[which][name]) for which in TOLD],
        )
    screen.say(
        f"Of an empty endpoint's requests the service answers {found['ratio_c8']:.2f} with eight"
        f" clients, {found['ratio_c1']:.2f} with one."
    )
    screen.say(
        f"Batches of {BATCH:,} answer {found['batch']['customers_per_second']:.0f} customers a"
        f" second, {found['ratio_batch']:.1f} times as many as one request each."
    )


def _show_events(screen: Screen, found: Mapping[str, Any]) -> None:
    screen.say(
        f"{found['events_per_second']:,.0f} events/s in batches of 1,000, each durable before its"
        f" answer ({found['p50_ms']:.0f} ms at the median, {found['p99_ms']:.0f} ms at p99);"
        f" {found['accepted']:,} of {found['events']:,} were accepted."
    )


def _row(told: str, at: Mapping[str, float]) -> list[str]:
    figures = (f"{at['rps']:.0f}", f"{at['p50_ms']:.1f}", f"{at['p99_ms']:.1f}")
    return [told, *figures, f"{at['failed']:.0f}"]
