"""`sayso benchmark serving`."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from typing import Annotated, Any

import typer

from features.config.environment import Settings
from features.shop.workspace import Workspace
from serving.cli.options import DEFAULT_WORKSPACE, DebugOption, JsonOption, WorkspaceOption
from serving.cli.screen import Screen
from serving.load.benchmark import BATCH, measure

TOLD = {"empty": "an empty BentoML endpoint", "sayso": "explained recommendations, recorded"}


def serving(
    seconds: Annotated[
        float, typer.Option("--seconds", min=0.5, help="Seconds for each figure.")
    ] = 10.0,
    workers: Annotated[int, typer.Option("--workers", min=1, help="Workers of ours.")] = 1,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    *,
    postgresql: Annotated[
        bool,
        typer.Option("--postgresql", help="Keep the database in a PostgreSQL server made for it."),
    ] = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Time the service beside an empty BentoML endpoint, with one client and with eight, each
    asking for a random customer with the full explanation, and in batches of 1,000.

    A copy of the workspace answers; nothing is recorded in the workspace itself.
    """
    screen, opened = Screen(as_json=as_json), Workspace.open(workspace, Settings())
    with screen.progress() as progress, _postgres() if postgresql else nullcontext() as server:
        found = measure(
            opened,
            seconds,
            progress,
            workers=workers,
            database_url=None if server is None else server.url,
        )
    _show(screen, found)
    screen.result(found)


def _postgres() -> Any:
    from serving.proofs.stage.postgres import postgres_server  # noqa: PLC0415 - needed for one option

    return postgres_server()


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


def _row(told: str, at: Mapping[str, float]) -> list[str]:
    figures = (f"{at['rps']:.0f}", f"{at['p50_ms']:.1f}", f"{at['p99_ms']:.1f}")
    return [told, *figures, f"{at['failed']:.0f}"]
