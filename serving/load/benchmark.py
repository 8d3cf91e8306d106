"""The service and an empty one on the same machine in the same run, in turns."""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from features import clock
from features.config.environment import Settings
from features.consent.grants import grants
from features.errors import WorkspaceError
from features.progress import Progress, silent
from features.shop.shop import Shop
from features.shop.workspace import Workspace
from serving.access.api_keys import Keys
from serving.load.batch import streamed
from serving.load.callers import asked, posts
from serving.operations.moving import migrate
from serving.server import SERVICE, free_port, running

EMPTY = "serving.load.empty_service:EmptyService"
CONCURRENCY = (1, 8)
ROUNDS = 2
BATCH = 1_000
WARM_SECONDS = 2.0
FEWEST = 2_000
"""Customers who are asked for at random, so that no answer is one that was just given."""
LEFT_BEHIND = ("mlflow*", "bentoml*", "*.log")
NO_LIMIT = 1e9
SEED = 20_261_201

Measured = dict[str, dict[str, float]]


def measure(
    workspace: Workspace,
    seconds: float,
    progress: Progress = silent,
    *,
    workers: int = 1,
    database_url: str | None = None,
) -> dict[str, Any]:
    """Requests a second and milliseconds of both services with one client and with eight, customers
    a second of batches of `BATCH`, and the ratios.

    A copy of the workspace is served, so that nothing is recorded in the workspace itself; its
    database is moved to `database_url`, which has to be empty, where that is given. Each of
    `ROUNDS` takes `seconds` for each figure; the better round counts, as the machine's other work
    only ever takes away.

    Raises `WorkspaceError` where too few customers may be answered personally.
    """
    with tempfile.TemporaryDirectory() as folder:
        served = copied(workspace, Path(folder) / "shop", workers, database_url)
        ids, key = _customers(served)
        requests = posts("/v1/recommendations", [{"customer_id": id} for id in ids], key)
        ours: list[Measured] = []
        batches: list[dict[str, float]] = []
        empty: list[Measured] = []
        for number in range(ROUNDS):
            done = number / ROUNDS
            progress(f"an empty service, round {number + 1}", done)
            with running_on(served, EMPTY) as port:
                empty.append(_measured(port, posts("/empty", [{}]), seconds))
            progress(f"the service, round {number + 1}", done + 0.5 / ROUNDS)
            with running_on(served, SERVICE) as port:
                ours.append(_measured(port, requests, seconds))
                batches.append(streamed(port, key, ids, BATCH, seconds).document())
        progress("done", 1.0)
    found = {"empty": _best(empty), "sayso": _best(ours)}
    ratios = {name: found["sayso"][name]["rps"] / found["empty"][name]["rps"] for name in _names()}
    batch = max(batches, key=lambda one: one["customers_per_second"])
    alone = max(found["sayso"][name]["rps"] for name in _names())
    return {
        **found,
        **{f"ratio_{name}": ratio for name, ratio in ratios.items()},
        "batch": batch,
        "ratio_batch": batch["customers_per_second"] / alone,
    }


def _names() -> list[str]:
    return [f"c{callers}" for callers in CONCURRENCY]


def copied(workspace: Workspace, folder: Path, workers: int, url: str | None) -> Workspace:
    """A copy of the workspace in `folder`, without limits on how often a key may ask, its database
    moved to `url` where that is given.

    Raises `WorkspaceError` where the database lies outside.
    """
    shutil.copytree(workspace.root, folder, ignore=shutil.ignore_patterns(*LEFT_BEHIND))
    if workspace.settings.database_url is not None:
        raise WorkspaceError(
            "this measures a copy of the workspace, whose database has to lie in it; take"
            " SAYSO_DATABASE_URL away, or measure a workspace of its own such as that of"
            " `sayso demo`"
        )
    copy = Workspace.open(folder, _settings(folder, workers, None))
    if url is not None:
        migrate(copy, url)
        copy = Workspace.open(folder, _settings(folder, workers, url))
    return copy


def _settings(folder: Path, workers: int, url: str | None) -> Settings:
    return Settings(
        workspace=folder,
        workers=workers,
        database_url=url,
        key_per_second=NO_LIMIT,
        env="development",
    )


def _customers(workspace: Workspace) -> tuple[list[str], str]:
    """The customers who may be answered personally, in no order, and a key to ask for them with."""
    shop = Shop(workspace)
    ids = customers_to_ask(shop)
    if len(ids) < FEWEST:
        raise WorkspaceError(
            f"{len(ids):,} customers of this workspace may be answered personally, and"
            f" {FEWEST:,} are needed; `sayso demo` makes one that has them"
        )
    _, key = Keys(shop.database, shop.clock).create(["recommend", "consent"], "benchmark")
    shop.database.close()
    return ids, key


def customers_to_ask(shop: Shop) -> list[str]:
    """The customers who may be answered personally, in no order."""
    purpose, names = shop.config.models.next_purchase.purpose, shop.customers.all()
    with shop.database.read() as connection:
        granted = grants(connection, shop.config.catalog, purpose, clock.to_text(shop.clock()))
    ids = [names[number] for number in granted["customer"].unique() if number in names]
    random.Random(SEED).shuffle(ids)  # noqa: S311 - an order, no secret
    return ids


@contextmanager
def running_on(workspace: Workspace, service: str) -> Iterator[int]:
    """Serves the workspace while the block runs; on which port."""
    port = free_port()
    with running(workspace, port, workspace.root / "benchmark.log", service=service):
        yield port


def _measured(port: int, requests: Sequence[bytes], seconds: float) -> Measured:
    asked(port, requests, max(CONCURRENCY), WARM_SECONDS)
    return {
        f"c{callers}": asked(port, requests, callers, seconds).document() for callers in CONCURRENCY
    }


def _best(rounds: Sequence[Measured]) -> Measured:
    return {name: max((one[name] for one in rounds), key=lambda at: at["rps"]) for name in _names()}
