"""What a peer is: a function that fits on what is known in a fold and gives one that ranks."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import scipy.sparse as sp

from experiments.benchmarks.peers.baskets import Known, Rows
from models.arrays import Floats

BATCH = 256
Rank = Callable[[Rows, int], list[Rows]]
"""Takes customers and k, gives the positions of the best k items of each, best first; fewer where a
method has no more.
"""
Fit = Callable[[Known], Rank]


def counts(known: Known, rows: Rows | None = None) -> sp.csr_matrix:
    """In how many baskets of each customer (of `rows`, or of all) each item was: (customers, items)
    float64.
    """
    histories = known.histories if rows is None else [known.histories[row] for row in rows.tolist()]
    return baskets_matrix(
        [np.concatenate([np.empty(0, dtype=np.int64), *history]) for history in histories],
        len(known.items),
    )


def baskets_matrix(baskets: Sequence[Rows], items: int) -> sp.csr_matrix:
    """How often each item is in each of `baskets`: (baskets, items) float64."""
    rows = np.repeat(np.arange(len(baskets)), [len(basket) for basket in baskets])
    columns = np.concatenate([np.empty(0, dtype=np.int64), *baskets])
    return sp.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(len(baskets), items))


def best(scores: Floats, k: int) -> Rows:
    """Positions of the `k` highest scores of each row, best first, equal ones in their order."""
    return np.asarray(np.argsort(-scores, axis=1, kind="stable")[:, :k])


def ranked_by(score: Callable[[Rows], Floats]) -> Rank:
    """Ranks by `score`, which gives (customers, items) scores of a batch of customers."""

    def rank(asked: Rows, k: int) -> list[Rows]:
        batches = [asked[first : first + BATCH] for first in range(0, len(asked), BATCH)]
        return [row for batch in batches for row in best(score(batch), k)]

    return rank


def recall(known: Known, score: Callable[[Rows], Floats], k: int = 10) -> float:
    """Recall@k on the customers to validate with, by which a peer chooses its settings; 0 where
    there are none.
    """
    ranked = ranked_by(score)(known.validate, k)
    found = [
        np.isin(known.futures[row], top).mean()
        for row, top in zip(known.validate.tolist(), ranked, strict=True)
    ]
    return float(np.mean(found)) if found else 0.0
