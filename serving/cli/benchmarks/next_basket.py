"""`sayso benchmark next-basket`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from experiments.benchmarks.next_basket import next_basket_benchmark
from experiments.benchmarks.peers.baskets import read_baskets
from serving.cli.options import DebugOption, JsonOption
from serving.cli.screen import Screen

METRICS = ("recall@10", "ndcg@10", "phr@10", "recall@20", "ndcg@20", "phr@20")


def next_basket(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="DIR",
            help="Folder with history.json, future.json and folds.json.",
            file_okay=False,
            exists=True,
        ),
    ],
    folds: Annotated[
        int | None,
        typer.Option("--folds", min=1, help="How many of the folds; all where not stated."),
    ] = None,
    *,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Fit the next-purchase model and its peers on each fold, and compare how well they foretell
    the next baskets.
    """
    screen = Screen(as_json=as_json)
    baskets = read_baskets(folder)
    count = min(folds or len(baskets.folds), len(baskets.folds))
    with screen.progress() as progress:
        methods = next_basket_benchmark(baskets, count, progress)
    title = (
        f"{len(baskets.histories):,} customers, {len(baskets.items):,} items, mean of {count} folds"
    )
    screen.table(
        title,
        ("", *METRICS, "fit s", "predict s"),
        [_row(name, found) for name, found in methods.items()],
    )
    for name, found in methods.items():
        if "error" in found:
            screen.say(f"{name} cannot be fitted: {found['error']}")
    screen.result({"methods": methods})


def _row(name: str, found: Mapping[str, Any]) -> list[str]:
    if "error" in found:
        return [name, *[""] * (len(METRICS) + 2)]
    return [
        name,
        *(f"{found[metric]['mean']:.4f}" for metric in METRICS),
        f"{found['fit_seconds']:.1f}",
        f"{found['predict_seconds']:.1f}",
    ]
