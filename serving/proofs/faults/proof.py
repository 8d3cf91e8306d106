"""The promise that faults fail closed: whatever breaks under a running service, it stops using what
customers shared.
"""

from __future__ import annotations

from pathlib import Path

from features.progress import Progress
from serving.proofs.stage.proof import Finding, Proof
from serving.proofs.stage.sandbox import MOUNTS, own, run_in_sandbox

QUESTIONS = 200
"""Asked of each kind of answer under each fault at full size."""
COUNTED = (
    "kinds of fault",
    "questions under a fault",
    "personalised answers under a fault",
    "answers marked not personalised",
    "problem documents",
    "consents refused under a fault",
    "consents acknowledged under a fault",
    "acknowledged consents lost",
)
PATH = "serving.proofs.faults.path"


def prove(folder: Path, share: float, progress: Progress) -> Finding:
    """Put a real service on a small disk through every fault."""
    found = run_in_sandbox(
        own(MOUNTS), PATH, [str(folder), str(max(1, round(QUESTIONS * share)))], folder, progress
    )
    return Finding(
        {**{name: found["counts"].get(name, 0) for name in COUNTED}, **found["seconds"]},
        tuple(found["faults"]),
    )


FAULTS_FAIL_CLOSED = Proof(
    "faults",
    "whatever breaks, no answer is personalised until it is mended, and then the service recovers"
    " by itself",
    prove,
)
