"""The proof that another model takes over in every worker without one failed request."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from math import ceil
from pathlib import Path

from experiments.promotion.rollout import promote, roll_back
from features.config.environment import Settings
from features.progress import Progress, part_of
from features.shop.shop import Shop
from features.shop.workspace import Workspace
from models.tracking import Tracking
from serving.access.api_keys import Keys
from serving.proofs.blocking.watch import processor_times, workers_on
from serving.proofs.stage.proof import Finding, Proof
from serving.proofs.stage.small_shop import make_shop, sharing_everything
from serving.proofs.stage.synthetic_shop import train
from serving.proofs.swaps.asking import Heard, asking
from serving.server import free_port, running

SWAPS = 20
FEWEST = 4
WORKERS = 2
LIVE_WITHIN = 10.0
QUIET = 4.0
"""A version counts as live once nothing but it was named for so many seconds, in which each worker
looks for a new one twice.
"""
FEWEST_ANSWERS = 20
LEAST_SHARE = 0.1
"""Of the work of all workers, each has to have done so much."""


def run(folder: Path, share: float, progress: Progress) -> Finding:
    """Promote and roll back, in turn, as often as `share` asks for."""
    shop = make_shop(folder, part_of(progress, 0.0, 0.3))
    progress("training a challenger", 0.3)
    tracking = Tracking.of(shop.workspace, shop.database)
    challenger = train(shop, tracking, "next_purchase")
    _, key = Keys(shop.database).create(["all"])

    def promoted() -> str:
        promote(tracking, challenger, [], shop.clock())
        return challenger.version

    def rolled_back() -> str:
        return roll_back(shop, tracking, "next_purchase")[1].version

    port, swaps = free_port(), max(FEWEST, ceil(SWAPS * share))
    with running(_of_two_workers(shop), port, folder / "service.log"):
        workers = workers_on(port)
        before = [_work(worker) for worker in workers]
        with asking(port, key, sharing_everything()) as heard:
            lasted = []
            for number in range(swaps):
                progress("swapping models under load", 0.4 + 0.6 * number / swaps)
                lasted.append(_lag(heard, (promoted, rolled_back)[number % 2]))
        work = [_work(worker) - was for worker, was in zip(workers, before, strict=True)]
    shop.database.close()
    return judged(heard, lasted, work)


def judged(heard: Heard, lasted: list[float], work: list[float]) -> Finding:
    """What came of swaps that `lasted` so many seconds each, in workers that did so much `work`."""
    faults = [f"a request {said}" for said, _ in Counter(heard.failed).most_common(3)]
    late = [lag for lag in lasted if lag > LIVE_WITHIN]
    if late:
        faults.append(
            f"{len(late)} of {len(lasted)} swaps were not live everywhere within"
            f" {LIVE_WITHIN:.0f} seconds; the slowest took {max(late):.1f}"
        )
    if len(work) != WORKERS or min(work) < LEAST_SHARE * sum(work):
        faults.append(f"not all {WORKERS} workers answered: they worked {work} seconds")
    figures = {
        "swaps, every other one a rollback": len(lasted),
        "workers that answered": len(work),
        "requests answered meanwhile": len(heard.named),
        "requests failed": len(heard.failed),
        "slowest swap until every worker had it, seconds": round(max(lasted), 2),
    }
    return Finding(figures, tuple(faults))


def _lag(heard: Heard, swap: Callable[[], str]) -> float:
    """Seconds from the end of a swap until the last answer of another version was asked for."""
    version = swap()
    began = last = time.monotonic()
    ends = began + LIVE_WITHIN + QUIET
    while (now := time.monotonic()) < ends:
        last = heard.last_without(version, began) or began
        if now - last > QUIET and heard.count_since(last) >= FEWEST_ANSWERS:
            break
        time.sleep(0.1)
    return last - began


def _of_two_workers(shop: Shop) -> Workspace:
    stated = shop.workspace.settings
    return Workspace.open(
        shop.workspace.root, Settings(**{**stated.model_dump(), "workers": WORKERS})
    )


def _work(worker: int) -> float:
    """Seconds of a processor that a worker has had."""
    return sum(work for work, _ in processor_times(worker).values())


PROOF = Proof(
    "swaps",
    "Another model takes over: after a promotion or a rollback under load every worker answers from"
    " it within ten seconds, and no request fails.",
    run,
)
