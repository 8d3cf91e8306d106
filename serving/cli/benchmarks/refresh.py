"""`sayso benchmark refresh`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from features.config.environment import Settings
from features.shop.shop import Shop
from features.shop.workspace import Workspace
from serving.analysis.refresh_timing import refresh_times
from serving.cli.options import DEFAULT_WORKSPACE, DebugOption, JsonOption, WorkspaceOption
from serving.cli.screen import Screen

P50, P99 = 5.0, 20.0
"""Milliseconds that a refresh may take on two quiet cores."""


def refresh(
    customers: Annotated[
        int, typer.Option("--customers", min=1, help="How many customers to make features for.")
    ] = 1_000,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    *,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Time one customer's features after an event, a consent or a correction, and compare them with
    those made for all customers at once.
    """
    screen = Screen(as_json=as_json)
    shop = Shop(Workspace.open(workspace, Settings()))
    with screen.progress() as progress:
        times = refresh_times(shop, customers, progress)
    screen.table(
        "One customer's features made anew, in milliseconds",
        ("model", "median", "99th percentile", "processor, median", "customers that differ"),
        [
            (name, f"{t.p50:.2f}", f"{t.p99:.2f}", f"{t.cpu_p50:.2f}", f"{t.different:,}")
            for name, t in times.items()
        ],
    )
    screen.say(
        f"On two quiet cores at most {P50:g} at the median and {P99:g} at the 99th percentile; and"
        " no feature differs from what it is when all customers' are made at once."
    )
    screen.result({name: asdict(found) for name, found in times.items()})
