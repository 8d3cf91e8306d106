"""What holds for every published method that is measured beside our ranker; whoever adds one to
`METHODS` gets these tests.
"""

from __future__ import annotations

import numpy as np
import pytest

from experiments.benchmarks.next_basket import METHODS
from experiments.benchmarks.peers.baskets import Known, Rows
from experiments.benchmarks.peers.peer import Fit

CUSTOMERS, ITEMS, K = 60, 12, 5
ASKED = np.arange(40, CUSTOMERS)
PEERS = {name: fit for name, fit in METHODS.items() if name != "sayso"}


@pytest.fixture(params=PEERS)
def fit(request: pytest.FixtureRequest) -> Fit:
    """One peer."""
    return PEERS[request.param]


def test_a_peer_ranks_known_items_once_each(fit: Fit) -> None:
    """Each customer gets at most k different items, all of them known."""
    answers = fit(some_known())(ASKED, K)
    assert len(answers) == len(ASKED)
    for answer in answers:
        found = np.asarray(answer)
        assert len(found) <= K
        assert len(set(found.tolist())) == len(found)
        assert ((found >= 0) & (found < ITEMS)).all()
    assert any(len(answer) for answer in answers)


def test_the_same_fold_gives_the_same_ranking(fit: Fit) -> None:
    """Nothing is left to chance, and fitting leaves the fold as it was."""
    known = some_known()
    first, again, fresh = (fit(each)(ASKED, K) for each in (known, known, some_known()))
    for one, other, third in zip(first, again, fresh, strict=True):
        np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(one, third)


def test_a_longer_answer_begins_with_the_shorter(fit: Fit) -> None:
    """The best two are the first two of the best five."""
    rank = fit(some_known())
    for few, more in zip(rank(ASKED, 2), rank(ASKED, K), strict=True):
        np.testing.assert_array_equal(few, np.asarray(more)[: len(few)])


def test_nobody_asked_gets_nothing(fit: Fit) -> None:
    """No customer, no answer."""
    assert fit(some_known())(ASKED[:0], K) == []


def some_known(seed: int = 3) -> Known:
    """A fold of customers who like a few items most, each with two to five baskets."""
    draw = np.random.default_rng(seed)
    likes = 1 / (1 + np.arange(ITEMS))

    def basket() -> Rows:
        return np.sort(draw.choice(ITEMS, draw.integers(1, 5), replace=False, p=likes / sum(likes)))

    histories = [[basket() for _ in range(draw.integers(2, 6))] for _ in range(CUSTOMERS)]
    train, validate = np.arange(30), np.arange(30, 40)
    futures = {row: basket() for row in range(40)}
    return Known(
        tuple(f"item {number}" for number in range(ITEMS)), histories, futures, train, validate
    )
