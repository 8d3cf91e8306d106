"""The proof that no acknowledged withdrawal, refusal or opt-out is lost.

Killing a process proves little of the disk, as what it wrote is with the operating system by then.
So a trace of its system calls shows that all bytes were synced before they were acknowledged, and a
disk that is full or fails shows that nothing else is.
"""

from __future__ import annotations

from math import ceil
from pathlib import Path

from features.progress import Progress, part_of
from serving.proofs.durability.killing import kill_again_and_again
from serving.proofs.durability.promised import Promised
from serving.proofs.durability.starving import fail_calls, fill_up
from serving.proofs.durability.tracing import can_trace, order_of, traced
from serving.proofs.stage.empty_shop import make_empty_shop
from serving.proofs.stage.postgres import postgres_server
from serving.proofs.stage.proof import CannotProve, Finding, Proof

CYCLES = 200
TRACED_EVENTS = 500
FULL_DISKS = 100
FAILING_DISKS = 60
NO_STRACE = "not shown: strace is not installed, or may not look at processes"
Figures = dict[str, int | float | str]


def run(folder: Path, share: float, progress: Progress) -> Finding:
    """Put it to the test."""
    figures: Figures = {}
    faults: list[str] = []
    for kind, part in (
        ("SQLite", part_of(progress, 0.0, 0.5)),
        ("PostgreSQL", part_of(progress, 0.5, 1.0)),
    ):
        try:
            found = (
                _on_sqlite(folder, share, part)
                if kind == "SQLite"
                else _on_postgres(folder, share, part)
            )
        except CannotProve as error:
            found = Finding({"cycles": f"not shown: {error}"})
        figures |= {f"{kind}: {name}": figure for name, figure in found.figures.items()}
        faults += [f"{kind}: {fault}" for fault in found.faults]
    return Finding(figures, tuple(faults))


def _on_sqlite(folder: Path, share: float, progress: Progress) -> Finding:
    promised = Promised(make_empty_shop(folder / "sqlite"))
    cycles = ceil(CYCLES * share)
    kill_again_and_again(promised, cycles, None, part_of(progress, 0.0, 0.5))
    refused = fill_up(promised, ceil(FULL_DISKS * share), part_of(progress, 0.5, 0.7))
    if not refused:
        promised.faults.append("no event was refused on a full disk, so nothing was shown of that")
    figures: Figures = {**_lost(promised, cycles), "events refused on a full disk": refused}
    if can_trace():
        figures["calls to the disk that failed"] = fail_calls(
            promised, ceil(FAILING_DISKS * share), part_of(progress, 0.7, 0.9)
        )
        figures |= _traced(promised, ceil(TRACED_EVENTS * share))
    else:
        figures["acknowledged before they were synced"] = NO_STRACE
    return Finding({**figures, **_lost(promised, cycles)}, tuple(promised.faults))


def _on_postgres(folder: Path, share: float, progress: Progress) -> Finding:
    with postgres_server() as server:
        promised = Promised(make_empty_shop(folder / "postgresql", server.url), server.url)
        cycles = ceil(CYCLES * share)
        kill_again_and_again(promised, cycles, server, progress)
        return Finding(_lost(promised, cycles), tuple(promised.faults))


def _lost(promised: Promised, cycles: int) -> Figures:
    return {
        "times killed": cycles,
        "acknowledged": len(promised.acknowledged),
        "of these lost": len(promised.lost),
        "broken chains": promised.broken,
    }


def _traced(promised: Promised, events: int) -> Figures:
    order = order_of(traced(promised, "traced", events), promised.root / "sayso.db")
    if order.unsynced or order.acknowledged < events:
        promised.faults.append(
            f"{order.unsynced} of {order.acknowledged} acknowledgements came before their bytes"
            " were synced"
        )
    return {
        "acknowledged under strace": order.acknowledged,
        "of these before their bytes were synced": order.unsynced,
    }


DURABILITY = Proof("durability", "no acknowledged withdrawal, refusal or opt-out is lost", run)
