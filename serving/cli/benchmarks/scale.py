"""`sayso benchmark scale`."""

from __future__ import annotations

from typing import Annotated

import typer

from experiments.benchmarks.scale import scales
from serving.cli.options import DebugOption, JsonOption
from serving.cli.screen import Screen

SHOWN = {
    "customers": "{:,}",
    "moments": "{:,}",
    "orders": "{:,}",
    "rows": "{:,}",
    "feature_seconds": "{:.1f}",
    "training_seconds": "{:.1f}",
    "seconds": "{:.1f}",
    "peak_rss_mb": "{:,.0f}",
    "auc": "{:.3f}",
    "ece": "{:.4f}",
    "ece_by_chance": "{:.4f}",
}


def scale(
    customers: Annotated[
        int, typer.Option("--customers", min=1_000, help="Customers of the made-up shop.")
    ] = 200_000,
    moments: Annotated[
        int, typer.Option("--moments", min=3, max=60, help="As_of dates to make features at.")
    ] = 12,
    *,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Time features and training of the churn model on a made-up shop, beside one of a tenth of the
    customers.
    """
    screen = Screen(as_json=as_json)
    with screen.progress() as progress:
        report = scales(customers, moments, progress)
    tenth, whole = report["tenth"], report["whole"]
    rows = [
        (name.replace("_", " "), shown.format(tenth[name]), shown.format(whole[name]))
        for name, shown in SHOWN.items()
    ]
    screen.table("Features and training of the churn model", ("", "a tenth", "whole"), rows)
    screen.say(
        f"Ten times the customers take {whole['seconds'] / tenth['seconds']:.1f} times as long."
    )
    screen.result({**report, "ratio": whole["seconds"] / tenth["seconds"]})
