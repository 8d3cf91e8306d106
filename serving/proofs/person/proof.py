"""The proof that one person is one person, and two are two."""

from __future__ import annotations

from math import ceil
from pathlib import Path

from features.progress import Progress, part_of
from serving.proofs.person.pairs import pairs
from serving.proofs.person.trial import Trial
from serving.proofs.stage.empty_shop import make_empty_shop, opened
from serving.proofs.stage.postgres import postgres_server
from serving.proofs.stage.proof import CannotProve, Finding, Proof

PAIRS = 10_000


def run(folder: Path, share: float, progress: Progress) -> Finding:
    """Put it to the test."""
    found = {"SQLite": _on(folder / "sqlite", None, share, part_of(progress, 0.0, 0.5))}
    try:
        with postgres_server(durable=False) as server:
            rest = part_of(progress, 0.5, 1.0)
            found["PostgreSQL"] = _on(folder / "postgresql", server.url, share, rest)
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
    count = ceil(PAIRS * share)
    with opened(root, database_url) as shop:
        trial = Trial(shop, list(pairs(count)))
        trial.run(part_of(progress, 0.0, 0.8))
        apart = Trial(shop, list(pairs(count, begin=PAIRS)))
        progress(f"merging {count:,} pairs that stood apart", 0.8)
        events = apart.merge()
        apart.shop.database.close()
    of_one = sum(pair.same for pair in trial.pairs)
    wrong = trial.faults + apart.faults
    figures: dict[str, int | float | str] = {
        "pairs of one customer": of_one,
        "pairs of two customers": count - of_one,
        "of these exported and erased from every store": len(trial.whole),
        "pairs that stood apart and were merged or left": count,
        "events of the ledger that verify after that": events,
        "pairs taken wrongly": wrong.total(),
    }
    return Finding(figures, tuple(f"{times} pairs in {what}" for what, times in wrong.items()))


PROOF = Proof(
    "person",
    "one person is one person however their id is written, and two are never merged",
    run,
)
