"""EASE: a ridge regression of what customers bought on what else they bought, without the item
itself (Steck, WWW 2019).

It never suggests by itself what was bought before, so the customer's own counts are added, with the
weight that is best on the customers to validate with.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from experiments.benchmarks.peers.baskets import Known, Rows
from experiments.benchmarks.peers.peer import Rank, counts, ranked_by, recall
from models.arrays import Floats

RIDGE = 200.0
OWN = (0.0, 0.1, 0.3, 1.0)
UNTUNED = 0.3
MOST_ITEMS = 4_000
"""Items that take part, those in most baskets: the time grows with their cube."""


def ease(known: Known) -> Rank:
    """With the weight of own counts that has the best recall@10 on the customers to validate
    with.
    """
    bought = counts(known)
    kept = np.argsort(-np.asarray(bought.sum(axis=0)).ravel(), kind="stable")[:MOST_ITEMS]
    weights = _weights(bought[:, kept].sign())

    def score(rows: Rows, own: float) -> Floats:
        scores: Floats = own * bought[rows].toarray()
        scores[:, kept] += bought[rows][:, kept].sign() @ weights
        return scores

    chosen = (
        max(OWN, key=lambda own: recall(known, lambda rows: score(rows, own)))
        if len(known.validate)
        else UNTUNED
    )
    return ranked_by(lambda rows: score(rows, chosen))


def _weights(bought: sp.csr_matrix) -> Floats:
    inverse = np.linalg.inv((bought.T @ bought).toarray() + RIDGE * np.eye(bought.shape[1]))
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0.0)
    return np.asarray(weights)
