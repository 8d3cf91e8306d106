"""Item-kNN: items nearest to those bought, by cosine of who bought them (Sarwar et al., WWW
2001).
"""

from __future__ import annotations

import numpy as np

from experiments.benchmarks.peers.baskets import Known
from experiments.benchmarks.peers.peer import Rank, counts, ranked_by
from models.next_purchase.item_pairs import largest

NEIGHBOURS = 20
"""Nearest items that are kept for each, as in `implicit`'s CosineRecommender, which keeps the item
itself among them.
"""


def item_knn(known: Known) -> Rank:
    """Sums of cosine similarities of counts, weighted by how often the customer bought each
    item.
    """
    bought = counts(known)
    norms = np.sqrt(np.asarray(bought.multiply(bought).sum(axis=0)).ravel()).clip(min=1)
    similar = largest(
        (bought.T @ bought).multiply(1 / norms[:, None]).multiply(1 / norms).tocsr(), NEIGHBOURS
    )
    return ranked_by(lambda rows: (bought[rows] @ similar).toarray())
