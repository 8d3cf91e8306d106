"""The most frequent items: of all customers (G-Top), of the customer (P-Top), and of the customer
first, then of all (GP-Top).

Li et al., A Next Basket Recommendation Reality Check, TOIS 2023. They turn out hard to beat.
"""

from __future__ import annotations

import numpy as np

from experiments.benchmarks.peers.baskets import Known, Rows
from experiments.benchmarks.peers.peer import Rank, counts


def g_top(known: Known) -> Rank:
    """What is in most baskets of all customers."""
    popular = _popular(known)
    return lambda asked, k: [popular[:k]] * len(asked)


def p_top(known: Known) -> Rank:
    """What is in most baskets of the customer; of equals what is in most of all."""
    often = _own(known)
    return lambda asked, k: [often[row][:k] for row in asked.tolist()]


def gp_top(known: Known) -> Rank:
    """What is in most baskets of the customer, of equals what is in most of all, filled up with
    that.
    """
    often, popular = _own(known), _popular(known)

    def filled(own: Rows, k: int) -> Rows:
        more = popular[: k + len(own)]
        return np.concatenate([own, more[~np.isin(more, own)]])[:k]

    return lambda asked, k: [filled(often[row], k) for row in asked.tolist()]


def _popular(known: Known) -> Rows:
    return np.argsort(-np.asarray(counts(known).sum(axis=0)).ravel(), kind="stable")


def _own(known: Known) -> list[Rows]:
    bought = counts(known)
    popular = np.asarray(bought.sum(axis=0)).ravel()
    parts = [
        (bought.indices[a:b], bought.data[a:b])
        for a, b in zip(bought.indptr[:-1], bought.indptr[1:], strict=True)
    ]
    return [
        items[np.lexsort((items, -popular[items], -times))].astype(np.int64)
        for items, times in parts
    ]
