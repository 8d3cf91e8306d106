"""A basket that is being filled tells the ranker what completes the order, and by how much is
measured.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from experiments.audits.basket_completion import IGNORED, WITH, basket_completion_figures
from experiments.benchmarks.basket_shop import BasketShop
from experiments.benchmarks.peers.baskets import Known
from models.next_purchase import candidates
from models.next_purchase.candidates import CandidateMaker
from models.next_purchase.histories import Baskets, Histories, HistoryMasking
from models.next_purchase.model import NextPurchaseModel
from models.next_purchase.ranker import Examples, NextPurchaseSettings

PAIRS = 20
CUSTOMERS = 400
SETTINGS = NextPurchaseSettings(trees=40, rows_per_leaf=20)


@pytest.fixture(scope="module")
def known() -> Known:
    """Customers whose every basket holds two pairs drawn at random: who buys one of a pair buys the
    other.
    """
    draw = np.random.default_rng(5)

    def basket() -> NDArray[np.int64]:
        first = draw.choice(PAIRS, 2, replace=False)
        return np.sort(np.concatenate([first, first + PAIRS]))

    histories = [[basket() for _ in range(3)] for _ in range(CUSTOMERS)]
    futures = {customer: basket() for customer in range(CUSTOMERS)}
    nobody = np.empty(0, dtype=np.int64)
    return Known(
        tuple(f"p{number:02}" for number in range(2 * PAIRS)),
        histories,
        futures,
        np.arange(CUSTOMERS),
        nobody,
    )


@pytest.fixture(scope="module")
def trial(known: Known) -> tuple[NextPurchaseModel, Examples]:
    """A ranker that learnt from most of them, and the next orders of the others."""
    shop = BasketShop.of(known)
    learnt_from, others = known.train[:-80], known.train[-80:]
    asked = shop.examples(others, learnt_from)
    return replace(shop.fit(learnt_from, SETTINGS), maker=asked.maker), asked


def test_what_completes_an_order_comes_first(trial: tuple[NextPurchaseModel, Examples]) -> None:
    """Shown one of each pair, the ranker puts the two others first; shown nothing, it cannot know
    them.
    """
    model, asked = trial
    products = len(asked.maker.statistics.product_ids)
    rows, bought = np.divmod(asked.bought, products)
    first_half = bought < PAIRS
    filled = replace(asked.histories, baskets=Baskets(rows, bought).at(first_half))

    def found(histories: Histories) -> float:
        ranked = model.rank(histories, 2)
        missing = asked.bought[~first_half]
        chosen = [
            row * products + ranked.candidates.products[best]
            for row, best in enumerate(ranked.best)
        ]
        return float(np.isin(np.concatenate(chosen), missing).mean())

    assert found(filled) > 0.95
    assert found(asked.histories) < 0.3


def test_the_worth_of_a_basket_is_measured_on_the_rest_of_the_order(
    trial: tuple[NextPurchaseModel, Examples],
) -> None:
    """The same orders are asked for with and without the basket in mind; what is in it counts for
    neither.
    """
    model, asked = trial
    found = basket_completion_figures(model, asked, 2).metrics
    assert found[f"{WITH}.phr_at_2"] > found[f"{IGNORED}.phr_at_2"] + 0.3
    for name in (WITH, IGNORED):
        assert (
            found[f"{name}.recall_at_2.low"]
            < found[f"{name}.recall_at_2"]
            < found[f"{name}.recall_at_2.high"]
        )


def test_orders_of_one_product_have_no_rest(trial: tuple[NextPurchaseModel, Examples]) -> None:
    """Where no order can be begun and not ended, nothing is measured."""
    model, asked = trial
    rows = asked.bought // len(asked.maker.statistics.product_ids)
    assert not basket_completion_figures(
        model, replace(asked, bought=asked.bought[np.diff(rows, prepend=-1) > 0]), 2
    ).metrics


@pytest.fixture(scope="module")
def maker(trial: tuple[NextPurchaseModel, Examples]) -> CandidateMaker:
    """What makes their candidates."""
    return trial[1].maker


@pytest.fixture(scope="module")
def histories(trial: tuple[NextPurchaseModel, Examples]) -> Histories:
    """Their histories, with empty baskets."""
    return trial[1].histories


@pytest.fixture(scope="module")
def masking(trial: tuple[NextPurchaseModel, Examples]) -> HistoryMasking:
    """What the ranker masks by."""
    return trial[0].masking


def filled(histories: Histories, maker: CandidateMaker) -> Histories:
    """The histories, every second one with two of the best sellers in the basket."""
    rows = np.repeat(np.arange(0, len(histories), 2), 2)
    return replace(
        histories,
        baskets=Baskets(
            rows, np.resize(maker.statistics.best_sellers[:7], len(rows)).astype(np.int64)
        ),
    )


def test_what_fits_a_basket_is_a_candidate_and_what_is_in_it_is_none(
    maker: CandidateMaker, histories: Histories, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A basket's products are not offered to its own row, what they speak for is, and how much they
    do is a feature of that row alone.
    """
    monkeypatch.setattr(candidates, "OFFERED_TO_A_BASKET", 1_000)
    monkeypatch.setattr(candidates, "OFFERED", {})
    shopping, statistics = filled(histories, maker), maker.statistics
    made = maker.make(shopping)
    fits = made.features[:, maker.features.index("fits_the_basket")]
    for row in range(0, len(histories), 5):
        inside = shopping.baskets.products[shopping.baskets.rows == row]
        found, said = made.products[made.rows == row], fits[made.rows == row]
        assert not set(found) & set(inside)
        if len(inside):
            sums = statistics.fitting[inside].sum(axis=0).A1
            assert set(np.flatnonzero((sums > 0) & statistics.sold)) - set(inside) <= set(found)
            np.testing.assert_allclose(said, sums[found], rtol=1e-6)
        else:
            assert np.isnan(said).all()


def test_a_basket_needs_the_consent_that_purchases_do(
    maker: CandidateMaker, masking: HistoryMasking, histories: Histories
) -> None:
    """Without purchases a filled basket leads to the very candidates of an empty one, to the last
    bit; with them it does not.
    """
    shopping, masked = filled(histories, maker), set(masking.categories) - {"purchases"}
    with_basket, without = (
        maker.make(masking.allow(each, masked)) for each in (shopping, histories)
    )
    assert with_basket.features.tobytes() == without.features.tobytes()
    np.testing.assert_array_equal(with_basket.products, without.products)
    assert (
        maker.make(masking.allow(shopping, masking.categories)).features.tobytes()
        == maker.make(shopping).features.tobytes()
    )
    assert maker.make(shopping).features.tobytes() != maker.make(histories).features.tobytes()


def test_an_order_that_is_begun_is_a_part_of_itself(
    trial: tuple[NextPurchaseModel, Examples],
) -> None:
    """Of about the share of orders asked for some products, never all, are in the basket; each is
    of its order, and none twice.
    """
    part = trial[1]
    products = len(part.maker.statistics.product_ids)
    baskets = part.begun(0.5, np.random.default_rng(3))
    keys = baskets.rows * products + baskets.products
    assert np.isin(keys, part.bought).all()
    assert len(np.unique(keys)) == len(keys)
    sizes, taken = (
        np.bincount(held // products, minlength=len(part.histories)) for held in (part.bought, keys)
    )
    assert (taken < np.maximum(sizes, 1)).all()
    assert 0.3 < (taken > 0)[sizes > 1].mean() < 0.7
    assert not len(part.begun(0.0, np.random.default_rng(3)).rows)
    np.testing.assert_array_equal(
        part.begun(0.5, np.random.default_rng(3)).products, baskets.products
    )
