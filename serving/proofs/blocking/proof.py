"""The promise that nothing blocks."""

from __future__ import annotations

from pathlib import Path

from features.progress import Progress
from serving.proofs.stage.postgres import wheel
from serving.proofs.stage.proof import Finding, Proof
from serving.proofs.stage.sandbox import MOUNTS, own, run_in_sandbox

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
    found = run_in_sandbox(own(MOUNTS), PATH, [str(folder), str(share)], folder, progress)
    figures: dict[str, int | float | str] = {}
    for database, counts in found["counts"].items():
        figures |= {f"{database}: {said}": counts.get(name, 0) for name, said in COUNTED.items()}
        seconds = found["seconds"][database]
        figures |= {f"{database}: slowest {name}, seconds": took for name, took in seconds.items()}
    return Finding(figures, tuple(found["faults"]))


BLOCKING = Proof(
    "blocking",
    "Nothing blocks: whatever is stopped, locked, slow, full or too much, the service answers, says"
    " when to ask again, and records what it answered.",
    prove,
)
