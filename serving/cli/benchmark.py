"""`sayso benchmark`: our figures beside those of peers, each in a module of its own."""

from __future__ import annotations

import typer

from serving.cli import benchmark_explain, benchmark_next_basket


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    benchmark = typer.Typer(help="Measure against peers, on your own data and machine.", no_args_is_help=True)
    benchmark.command("next-basket")(benchmark_next_basket.next_basket)
    benchmark.command("explain")(benchmark_explain.explain)
    app.add_typer(benchmark, name="benchmark")
