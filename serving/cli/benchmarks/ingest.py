"""`sayso benchmark ingest`."""

from __future__ import annotations

from typing import Annotated

import typer

from experiments.benchmarks.ingest import DAY_LINES, ingest_benchmark
from serving.cli.options import DebugOption, JsonOption
from serving.cli.screen import Screen

SHOWN = {
    "init": "sayso init",
    "whole": "sayso ingest, all",
    "day": f"sayso ingest, {DAY_LINES:,} lines more",
    "pandas": "pandas: read_csv, to_parquet",
}


def ingest(
    rows: Annotated[
        int, typer.Option("--rows", min=10_000, help="Order lines of the made-up export.")
    ] = 1_000_000,
    bad: Annotated[
        float,
        typer.Option("--bad", min=0.0, max=0.5, help="The share of lines that cannot be read."),
    ] = 0.01,
    *,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Time recognising, loading and a day's loading of a made-up export, beside plain pandas."""
    screen = Screen(as_json=as_json)
    with screen.progress() as progress:
        report = ingest_benchmark(rows, bad, progress)
    table = [
        (
            words,
            f"{report[name]['seconds']:.1f}",
            f"{report[name]['cpu_seconds']:.1f}",
            f"{report[name]['peak_rss_mb']:,.0f}",
        )
        for name, words in SHOWN.items()
    ]
    title = f"{rows:,} lines, {report['file_mb']:,.0f} MB"
    screen.table(title, ("", "seconds", "of processors", "peak MB"), table)
    screen.say(f"{report['whole']['rejected']:,} lines were rejected, each with its reason.")
    screen.result(report)
