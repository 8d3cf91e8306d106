"""`sayso benchmark`: our figures beside those of peers, each in a module of its own."""

from __future__ import annotations

import typer

from serving.cli.benchmarks import churn as benchmark_churn
from serving.cli.benchmarks import explain as benchmark_explain
from serving.cli.benchmarks import ingest as benchmark_ingest
from serving.cli.benchmarks import next_basket as benchmark_next_basket
from serving.cli.benchmarks import refresh as benchmark_refresh
from serving.cli.benchmarks import scale as benchmark_scale
from serving.cli.benchmarks import serving as benchmark_serving


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    benchmark = typer.Typer(
        help="Measure against peers, on your own data and machine.", no_args_is_help=True
    )
    benchmark.command("next-basket")(benchmark_next_basket.next_basket)
    benchmark.command("churn")(benchmark_churn.churn)
    benchmark.command("explain")(benchmark_explain.explain)
    benchmark.command("refresh")(benchmark_refresh.refresh)
    benchmark.command("scale")(benchmark_scale.scale)
    benchmark.command("serving")(benchmark_serving.serving)
    benchmark.command("ingest")(benchmark_ingest.ingest)
    app.add_typer(benchmark, name="benchmark")
