"""How many events the service takes a second, each batch durable before its answer."""

from __future__ import annotations

import json
import secrets
import tempfile
import time
from collections.abc import Iterator, Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from features import clock
from features.errors import WorkspaceError
from features.progress import Progress, silent
from features.shop.shop import Shop
from features.shop.workspace import Workspace
from serving.access.api_keys import Keys
from serving.contract.events import MOST_EVENTS
from serving.load.benchmark import copied, customers_to_ask, running_on
from serving.server import SERVICE

KINDS = ("shown", "clicked", "added", "bought")
DECISIONS = MOST_EVENTS
"""Answers that the events of a batch came of: each of another one, which costs the most."""
WARM = 2
"""Batches that are sent before any counts."""
TIMEOUT = 60.0


def measure_events(
    workspace: Workspace,
    seconds: float,
    progress: Progress = silent,
    *,
    workers: int = 1,
    database_url: str | None = None,
) -> dict[str, float]:
    """Events a second, milliseconds a batch (p50_ms, p99_ms), and the `events` of which so many
    were `accepted`, sent by one caller in batches of 1,000 for so many `seconds`.

    A copy of the workspace is served, as by `serving.load.benchmark.measure`. Raises
    `WorkspaceError` where nobody may be answered personally.
    """
    with tempfile.TemporaryDirectory() as folder:
        served = copied(workspace, Path(folder) / "shop", workers, database_url)
        key, ids = _callers_of(served)
        with (
            running_on(served, SERVICE) as port,
            httpx.Client(
                base_url=f"http://127.0.0.1:{port}",
                headers={"Authorization": f"Bearer {key}"},
                timeout=TIMEOUT,
            ) as client,
        ):
            progress("answers that events may come of", 0.0)
            answers = [_answer(client, id) for id in islice(cycle(ids), DECISIONS)]
            progress("sending events", 0.5)
            return _sent(client, [one for one in answers if one["items"]], seconds)


def _callers_of(workspace: Workspace) -> tuple[str, Sequence[str]]:
    shop = Shop(workspace)
    ids = customers_to_ask(shop)
    _, key = Keys(shop.database, shop.clock).create(["recommend", "ingest"], "benchmark")
    shop.database.close()
    if not ids:
        raise WorkspaceError("nobody in this workspace may be answered personally")
    return key, ids


def _answer(client: httpx.Client, customer_id: str) -> dict[str, Any]:
    found = client.post("/v1/recommendations", json={"customer_id": customer_id, "explain": "none"})
    answer: dict[str, Any] = found.raise_for_status().json()
    return answer


def _sent(
    client: httpx.Client, answers: Sequence[dict[str, Any]], seconds: float
) -> dict[str, float]:
    batches, took, accepted = _batches(answers), list[float](), 0
    for _ in range(WARM):
        _post(client, next(batches))
    while sum(took) < seconds:
        body = next(batches)
        began = time.perf_counter()
        said = _post(client, body)
        took.append(time.perf_counter() - began)
        accepted += said["accepted"]
    p50, p99 = (1e3 * np.percentile(took, [50, 99])).tolist()
    sent = len(took) * MOST_EVENTS
    return {
        "events_per_second": sent / sum(took),
        "p50_ms": p50,
        "p99_ms": p99,
        "events": sent,
        "accepted": accepted,
    }


def _post(client: httpx.Client, body: bytes) -> dict[str, Any]:
    headers = {"Content-Type": "application/json"}
    found = client.post("/v1/events", content=body, headers=headers).raise_for_status()
    said: dict[str, Any] = found.json()
    return said


def _batches(answers: Sequence[dict[str, Any]]) -> Iterator[bytes]:
    """Bodies of requests, of new events without end, about one answer after the other."""
    of_answers = cycle(answers)
    for kind in cycle(KINDS):
        now = clock.to_text(clock.utc_now())
        events = [
            {
                "event_id": secrets.token_hex(16),
                "decision_id": answer["decision_id"],
                "kind": kind,
                "product_id": answer["items"][0]["product_id"],
                "value": 12.5,
                "occurred_at": now,
            }
            for answer in islice(of_answers, MOST_EVENTS)
        ]
        yield json.dumps({"events": events}).encode()
