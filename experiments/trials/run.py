"""What a training run reports, whichever model it trained."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.consent.training_sets import remember
from features.shop.shop import Shop
from features.warehouse.gate import Gate
from models.registry import Version
from models.tracking import Tracking
from models.training_run import Run


@dataclass(frozen=True)
class TrainingRun:
    """A registered challenger and how it compares: metrics by method on the holdout, `sayso`
    first.

    `seconds` is how long each step of the run took.
    """

    version: Version
    holdout: str
    judged: int
    comparison: Mapping[str, Mapping[str, float]]
    seconds: Mapping[str, float]


def run_metrics(comparison: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """The comparison as MLflow takes it: `auc` for ours, `baseline.recency.auc` for the others; `@`
    is written `_at_`.
    """
    flat: dict[str, float] = {}
    for method, metrics in comparison.items():
        prefix = "" if method == "sayso" else f"baseline.{method}."
        flat |= {f"{prefix}{name}".replace("@", "_at_"): value for name, value in metrics.items()}
    return flat


def run_tags(shop: Shop, gate: Gate) -> dict[str, str]:
    """What every run states: at which position of the ledger it was made, from which data, for
    what, and who answers for it.
    """
    return {
        "ledger_seq": str(gate.ledger_seq),
        "warehouse": shop.warehouse.generation,
        "purpose": gate.purpose,
        "owner": shop.config.shop.owner,
    }


def digest_of(*arrays: NDArray[Any]) -> str:
    """SHA-256 of all values learnt from, in hexadecimal: tells whether two runs had the same data,
    and nothing of it.
    """
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def recorded(
    shop: Shop,
    tracking: Tracking,
    run: Run,
    gate: Gate,
    customers: Iterable[int],
    weighed: Mapping[str, Iterable[int]] | None = None,
) -> Version:
    """The run in the registry, and who it learnt from in the database: MLflow gets to know of no
    customer.

    `weighed` are those whose groups were, by the purpose that they agreed to it for.
    """
    version = tracking.record(run)
    with shop.database.write() as connection:
        for purpose, members in {gate.purpose: customers, **(weighed or {})}.items():
            remember(connection, version.run_id, purpose, gate.ledger_seq, members, shop.clock())
    return version
