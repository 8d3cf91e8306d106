"""UP-CF: what similar customers bought lately, by how often each did (Faggioli, Polato, Aiolli,
UMAP 2020).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
import scipy.sparse as sp

from experiments.benchmarks.peers.baskets import Known, Rows
from experiments.benchmarks.peers.peer import Rank, baskets_matrix, counts, ranked_by, recall
from models.arrays import Floats


@dataclass(frozen=True)
class UpCfSettings:
    """Baskets that count as recent, the exponent that draws near customers nearer, and the share of
    the customer's own size.
    """

    recent: int = 5
    locality: float = 1.0
    asymmetry: float = 0.25


CHOICES = tuple(UpCfSettings(recent, locality) for recent, locality in product((5, 50), (1.0, 5.0)))


def up_cf(known: Known) -> Rank:
    """With the settings that have the best recall@10 on the customers to validate with."""
    fitted = [(settings, _UpCf(known, settings)) for settings in CHOICES]
    chosen = (
        max(fitted, key=lambda pair: recall(known, pair[1].score))[1]
        if len(known.validate)
        else fitted[0][1]
    )
    return ranked_by(chosen.score)


class _UpCf:
    def __init__(self, known: Known, settings: UpCfSettings) -> None:
        self._settings = settings
        self._bought = counts(known).sign()
        self._sizes = np.asarray(self._bought.sum(axis=1)).ravel().clip(min=1)
        self._popular = _popularity(known, settings.recent)

    def score(self, rows: Rows) -> Floats:
        """Scores (customers, items)."""
        share = self._settings.asymmetry
        common = (self._bought[rows] @ self._bought.T).toarray()
        near = common / (self._sizes[rows][:, None] ** share * self._sizes ** (1 - share))
        return np.asarray(near**self._settings.locality @ self._popular)


def _popularity(known: Known, recent: int) -> sp.csr_matrix:
    """Share of each customer's recent baskets that an item was in."""
    lately = [history[-recent:] for history in known.histories]
    flat = baskets_matrix(
        [np.concatenate([np.empty(0, dtype=np.int64), *baskets]) for baskets in lately],
        len(known.items),
    )
    shares: sp.csr_matrix = sp.diags([1 / max(len(baskets), 1) for baskets in lately]) @ flat
    return shares
