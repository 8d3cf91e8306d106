"""The proof that consent costs little time."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from features.progress import Progress, part_of
from serving.proofs.speed import of_gate, of_ledger
from serving.proofs.speed.limits import Measured
from serving.proofs.stage.proof import Finding, Proof


def run(folder: Path, share: float, progress: Progress) -> Finding:
    """Measure it.

    Seconds may be that share of what they may be at full size; what belongs to one customer or is a
    ratio stays.
    """
    measured = [
        *of_ledger.measure(folder, share, part_of(progress, 0.0, 0.6)),
        *of_gate.measure(folder, share, part_of(progress, 0.6, 1.0)),
    ]
    return found(measured)


def found(measured: Iterable[Measured]) -> Finding:
    """The figures, and a fault for each that is over its limit."""
    figures = list(measured)
    faults = tuple(fault for figure in figures if (fault := figure.fault) is not None)
    return Finding({figure.name: figure.told for figure in figures}, faults)


SPEED = Proof("speed", "consent costs little time", run)
