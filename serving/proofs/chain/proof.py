"""The proof that the ledger cannot be rewritten unseen."""

from __future__ import annotations

from math import ceil
from pathlib import Path

from features.progress import Progress, part_of
from serving.proofs.chain.appending import WRITERS, append_at_once
from serving.proofs.chain.detecting import EVENTS, exported_anchor, fill, undetected
from serving.proofs.chain.refusing import accepted_changes, statements
from serving.proofs.stage.empty_shop import make_empty_shop, opened
from serving.proofs.stage.postgres import postgres_server
from serving.proofs.stage.proof import CannotProve, Finding, Proof

APPENDS = 1_600
TAMPERINGS = 10_000


def run(folder: Path, share: float, progress: Progress) -> Finding:
    """Put it to the test."""
    found = {"SQLite": _on(folder / "sqlite", None, share, part_of(progress, 0.0, 0.5))}
    try:
        with postgres_server() as server:
            found["PostgreSQL"] = _on(
                folder / "postgresql", server.url, share, part_of(progress, 0.5, 1.0)
            )
    except CannotProve as error:
        found["PostgreSQL"] = Finding({"all of it": f"not shown: {error}"})
    figures = {
        f"{kind}: {name}": figure
        for kind, finding in found.items()
        for name, figure in finding.figures.items()
    }
    return Finding(
        figures,
        tuple(f"{kind}: {fault}" for kind, finding in found.items() for fault in finding.faults),
    )


def _on(root: Path, database_url: str | None, share: float, progress: Progress) -> Finding:
    make_empty_shop(root, database_url)
    with opened(root, database_url) as shop:
        fill(shop)
        accepted = accepted_changes(shop.database)
        tampered = ceil(TAMPERINGS * share)
        missed = undetected(shop, exported_anchor(shop, root / "anchor.json"), tampered, progress)
        asked = len(statements(shop.database))
    progress(f"{WRITERS} processes append at once", 0.95)
    appended, faults = append_at_once(root, database_url, ceil(APPENDS * share))
    figures: dict[str, int | float | str] = {
        "changes that the database itself refuses": f"{asked - len(accepted)} of {asked}",
        "tamperings": tampered,
        "of these found": tampered - missed.total(),
        f"appended by {WRITERS} processes at once": appended - EVENTS,
        "faults of the chain after that": len(faults),
    }
    faults += [f"the database does not refuse {name}" for name in accepted]
    faults += [f"verification missed {count} times: {name}" for name, count in missed.items()]
    return Finding(figures, tuple(faults))


CHAIN = Proof("chain", "the ledger cannot be rewritten unseen", run)
