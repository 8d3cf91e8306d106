"""The promise that nothing blocks."""

from __future__ import annotations

from pathlib import Path

from features.progress import Progress, part_of
from serving.proofs.blocking.path import SHOP, on_postgresql, told
from serving.proofs.stage.postgres import wheel
from serving.proofs.stage.proof import Finding, Proof
from serving.proofs.stage.sandbox import MOUNTS, own, run_in_sandbox
from serving.proofs.stage.small_shop import make_shop

LASTS = 30.0
"""Seconds that each thing lasts at full size."""
SHORTEST = 4.0
PATH = "serving.proofs.blocking.path"
COUNTED = {
    "answers a second to eight clients": "answers a second to eight clients",
    "answered": "answers",
    "recorded": "decisions recorded",
    "marked as undelivered": "of these marked as undelivered",
    "statuses 429": "told to come later (429)",
    "statuses 503": "told that something does not respond (503)",
    "choices 201": "withdrawals and grants acknowledged",
    "most threads": "most threads",
}


def prove(folder: Path, share: float, progress: Progress) -> Finding:
    """Put a real service on SQLite and one on PostgreSQL through everything that may block it."""
    wheel()
    lasts = max(SHORTEST, LASTS * share)
    make_shop(folder, part_of(progress, 0.0, 0.3)).database.close()
    on_disk = run_in_sandbox(
        own(MOUNTS),
        PATH,
        [str(folder), str(lasts)],
        folder,
        part_of(progress, 0.3, 0.7),
    )
    at_server = told(
        on_postgresql(folder / SHOP, folder / "postgresql.log", lasts, part_of(progress, 0.7, 1.0))
    )
    figures: dict[str, int | float | str] = {}
    for found in (on_disk, at_server):
        name, counts = found["name"], found["counts"]
        figures |= {f"{name}: {said}": counts.get(key, 0) for key, said in COUNTED.items()}
        figures |= {
            f"{name}: slowest {what}, seconds": took for what, took in found["seconds"].items()
        }
    return Finding(figures, (*on_disk["faults"], *at_server["faults"]))


BLOCKING = Proof(
    "blocking",
    "Nothing blocks: whatever is stopped, locked, slow, full or too much, the service answers, says"
    " when to ask again, and records what it answered.",
    prove,
)
