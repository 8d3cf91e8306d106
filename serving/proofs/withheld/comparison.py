"""Comparing twins, outcome by outcome."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from serving.proofs.withheld.answers import Champions
from serving.proofs.withheld.outcomes import outcomes
from serving.proofs.withheld.twins import Twins


@dataclass(frozen=True)
class Compared:
    """One kind of outcome in both twins: how many were compared, and how many of them differ."""

    outcome: str
    compared: int
    differing: int


def compare(pair: Twins, champions: Champions) -> Iterator[Compared]:
    """Each kind of outcome as soon as both twins have it, so that whoever looks for one difference
    may stop at the first.
    """
    for one, other in zip(
        outcomes(pair.one, champions), outcomes(pair.other, champions), strict=True
    ):
        seen, also = dict(one.seen), dict(other.seen)
        whose = {*seen, *also}
        yield Compared(one.name, len(whose), sum(seen.get(key) != also.get(key) for key in whose))
