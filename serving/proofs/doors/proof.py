"""The proof that nobody gets more than their key or their link is for, on both databases."""

from __future__ import annotations

from math import ceil
from pathlib import Path

from features.progress import Progress, part_of
from serving.proofs.doors.combining import combine
from serving.proofs.doors.ending import revoke, send_twice, use_codes
from serving.proofs.doors.following import follow_all
from serving.proofs.doors.forging import forge
from serving.proofs.doors.house import House, opened_house
from serving.proofs.stage.postgres import postgres_server
from serving.proofs.stage.proof import CannotProve, Finding, Proof

COMBINATIONS = 100_000
FORGED = 10_000
REVOCATIONS = 30
FOLLOWED, DOUBLED, ERASED = 30, 10, 10
"""Customers who are followed home, whose forms are sent twice, and who are erased."""


def run(folder: Path, share: float, progress: Progress) -> Finding:
    """Try the doors on SQLite, then on PostgreSQL, with half of the combinations each."""
    figures: dict[str, int | float | str] = {}
    faults: list[str] = []
    with opened_house(folder / "sqlite") as house:
        _try(house, share / 2, part_of(progress, 0.0, 0.5))
    _add("SQLite", house, figures, faults)
    try:
        with postgres_server() as server, opened_house(folder / "pg", server.url) as house:
            _try(house, share / 2, part_of(progress, 0.5, 1.0))
        _add("PostgreSQL", house, figures, faults)
    except CannotProve as error:
        figures["PostgreSQL"] = f"not shown: {error}"
    return Finding(figures, tuple(faults))


def _try(house: House, share: float, progress: Progress) -> None:
    customers = house.customers
    followed = customers[:FOLLOWED]
    doubled = customers[FOLLOWED:][: ceil(DOUBLED * share)]
    erased = customers[FOLLOWED + DOUBLED :][: max(2, ceil(ERASED * share))]
    progress("following every link", 0.0)
    follow_all(house, followed)
    progress("forging links", 0.2)
    forge(house, ceil(FORGED * share))
    progress("combining keys, routes and customers", 0.4)
    combine(house, ceil(COMBINATIONS * share))
    progress("revoking", 0.9)
    revoke(house, customers[FOLLOWED:], ceil(REVOCATIONS * share))
    send_twice(house, doubled)
    use_codes(house, erased)


def _add(kind: str, house: House, figures: dict[str, int | float | str], faults: list[str]) -> None:
    counted = {"of these accepted": 0, "leaks": 0, **house.counts}
    figures.update({f"{kind}: {name}": count for name, count in counted.items()})
    faults += [f"{kind}: {fault}" for fault in house.faults]


PROOF = Proof(
    "doors",
    "Nobody sees another's data; no link is forged, or does more than it was made for; a key gets"
    " what its scopes say, and what is revoked is so at the next request.",
    run,
)
