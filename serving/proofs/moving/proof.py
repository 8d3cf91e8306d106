"""The proof that nothing is lost, and nobody comes back, when a workspace moves or is put back."""

from __future__ import annotations

from math import ceil
from pathlib import Path

from features.progress import Progress, part_of
from serving.proofs.moving.furnished_shop import empty_schema, furnish
from serving.proofs.moving.putting_back import erase_and_put_back
from serving.proofs.moving.refusing import missing_parts, wrong_databases
from serving.proofs.moving.there_and_back import killed_moves, there_and_back
from serving.proofs.stage.postgres import postgres_server
from serving.proofs.stage.proof import Finding, Proof

KILLS = 50
ERASURES = 40


def run(folder: Path, share: float, progress: Progress) -> Finding:
    """Put it to the test."""
    root = furnish(folder / "shop", part_of(progress, 0.0, 0.2))
    with postgres_server() as server:
        progress("taking parts away", 0.2)
        tried, faults = missing_parts(root)
        progress("pointing it at wrong databases", 0.25)
        empty = {
            "that is empty, of PostgreSQL": empty_schema(server, "empty"),
            "that is not there": f"sqlite:///{folder / 'nothing.db'}",
        }
        pointed, wrong = wrong_databases(root, folder, empty)
        progress("moving it to PostgreSQL and back", 0.3)
        rows, seconds, lost = there_and_back(root, server)
        kills = ceil(KILLS * share)
        killed, unfinished = killed_moves(root, server, kills, seconds, part_of(progress, 0.4, 0.8))
        progress("putting backups back", 0.8)
        targets = {"sqlite": None, "postgresql": empty_schema(server, "restored")}
        figures, back = erase_and_put_back(root, folder, targets, ceil(ERASURES * share))
    everything: dict[str, int | float | str] = {
        "parts taken away, closed and in use": tried,
        "of these made anew or not told": len(faults),
        "wrong databases it was pointed at": pointed,
        "of these not refused": len(wrong),
        "rows moved to PostgreSQL and back": rows,
        "of these not equal": len(lost),
        "seconds that one move took": round(seconds, 2),
        "moves killed with SIGKILL": kills,
        **{f"of these with {name}": count for name, count in killed.items()},
        **figures,
    }
    return Finding(everything, (*faults, *wrong, *lost, *unfinished, *back))


MOVING = Proof(
    "moving",
    "nothing is lost, nothing is invented and nobody who was erased comes back when a workspace"
    " moves or is put back",
    run,
)
