"""TIFU-KNN: personal frequencies that fade with time, mixed with those of the nearest customers (Hu
et al., SIGIR 2020).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import product

import numpy as np
import scipy.sparse as sp

from experiments.benchmarks.peers.baskets import Known, Rows
from experiments.benchmarks.peers.peer import Rank, ranked_by, recall
from models.arrays import Floats


@dataclass(frozen=True)
class TifuSettings:
    """`within` and `between` are the decays in and across the `groups` that baskets are put in;
    `alpha` is the customer's own part.
    """

    within: float = 0.9
    between: float = 0.7
    groups: int = 7
    neighbours: int = 300
    alpha: float = 0.7


PUBLISHED = TifuSettings()
"""What the paper's authors chose for Ta-Feng."""
DECAYS = tuple(product((0.9, 1.0), (0.7, 0.9)))
ALPHAS = (0.2, 0.5, 0.7)
RETUNED = TifuSettings(within=1.0, between=0.9, alpha=0.2)
"""Where there is nobody to tune on."""


def tifu_knn_published(known: Known) -> Rank:
    """With the published settings."""
    return _fitted(known, PUBLISHED)


def tifu_knn_retuned(known: Known) -> Rank:
    """With the decays and the own part that have the best recall@10 on the customers to validate
    with.
    """
    if not len(known.validate):
        return _fitted(known, RETUNED)
    tried = [replace(PUBLISHED, within=within, between=between) for within, between in DECAYS]
    judged = [choice for settings in tried for choice in _judged(known, settings)]
    return _fitted(known, max(judged, key=lambda choice: choice[0])[1])


def _fitted(known: Known, settings: TifuSettings) -> Rank:
    mixed = _mixed(known, settings)
    return ranked_by(partial(mixed, settings.alpha))


def _judged(known: Known, settings: TifuSettings) -> list[tuple[float, TifuSettings]]:
    """Recall on the customers to validate with, for each own part."""
    mixed = _mixed(known, settings)
    return [
        (recall(known, partial(mixed, alpha)), replace(settings, alpha=alpha)) for alpha in ALPHAS
    ]


def _mixed(known: Known, settings: TifuSettings) -> Callable[[float, Rows], Floats]:
    own, neighbours = _vectors(known, settings), _Neighbours(known, settings)
    return lambda alpha, rows: (
        alpha * own[rows].toarray() + (1 - alpha) * neighbours.mean(own[rows])
    )


class _Neighbours:
    """Training customers by their vectors."""

    def __init__(self, known: Known, settings: TifuSettings) -> None:
        self._vectors = _vectors(known, settings)[known.train]
        self._norms = np.asarray(self._vectors.multiply(self._vectors).sum(axis=1)).ravel()
        self._most = min(settings.neighbours, len(known.train))

    def mean(self, asked: sp.csr_matrix) -> Floats:
        """Mean vector of the nearest by Euclidean distance: (customers, items)."""
        distances = self._norms - 2 * (asked @ self._vectors.T).toarray()
        near = np.argpartition(distances, self._most - 1, axis=1)[:, : self._most]
        rows = np.repeat(np.arange(len(near)), self._most)
        chosen = sp.csr_matrix(
            (np.full(near.size, 1 / self._most), (rows, near.ravel())), shape=distances.shape
        )
        return np.asarray((chosen @ self._vectors).toarray())


def _vectors(known: Known, settings: TifuSettings) -> sp.csr_matrix:
    """Personal vectors of all customers: (customers, items)."""
    weights = [_weights(len(history), settings) for history in known.histories]
    sizes = [[len(basket) for basket in history] for history in known.histories]
    values = np.concatenate(
        [np.empty(0), *(np.repeat(w, n) for w, n in zip(weights, sizes, strict=True))]
    )
    rows = np.repeat(np.arange(len(sizes)), [sum(n) for n in sizes])
    columns = np.concatenate(
        [
            np.empty(0, dtype=np.int64),
            *(basket for history in known.histories for basket in history),
        ]
    )
    return sp.csr_matrix((values, (rows, columns)), shape=(len(known.histories), len(known.items)))


def _weights(baskets: int, settings: TifuSettings) -> Floats:
    """Weight of each basket of a history, oldest first."""
    groups = np.array_split(np.arange(baskets), min(settings.groups, max(baskets, 1)))
    parts = []
    for number, group in enumerate(groups):
        fade = settings.between ** (len(groups) - 1 - number)
        parts.append(
            fade
            * settings.within ** np.arange(len(group))[::-1]
            / (len(groups) * max(len(group), 1))
        )
    return np.concatenate(parts)
