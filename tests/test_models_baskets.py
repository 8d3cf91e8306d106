"""A basket that is being filled tells the ranker what completes the order, and by how much is measured."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from experiments.basket_shop import BasketShop
from experiments.baskets import Known
from experiments.begun_orders import IGNORED, WITH, begun_orders
from models.histories import Baskets, Histories
from models.next_purchase import Examples, NextPurchaseModel, NextPurchaseSettings

PAIRS = 20
CUSTOMERS = 400
SETTINGS = NextPurchaseSettings(trees=40, rows_per_leaf=20)


@pytest.fixture(scope="module")
def known() -> Known:
    """Customers whose every basket holds two pairs drawn at random: who buys one of a pair buys the other."""
    draw = np.random.default_rng(5)

    def basket() -> NDArray[np.int64]:
        first = draw.choice(PAIRS, 2, replace=False)
        return np.sort(np.concatenate([first, first + PAIRS]))

    histories = [[basket() for _ in range(3)] for _ in range(CUSTOMERS)]
    futures = {customer: basket() for customer in range(CUSTOMERS)}
    nobody = np.empty(0, dtype=np.int64)
    return Known(tuple(f"p{number:02}" for number in range(2 * PAIRS)), histories, futures, np.arange(CUSTOMERS), nobody)


@pytest.fixture(scope="module")
def trial(known: Known) -> tuple[NextPurchaseModel, Examples]:
    """A ranker that learnt from most of them, and the next orders of the others."""
    shop = BasketShop.of(known)
    learnt_from, others = known.train[:-80], known.train[-80:]
    asked = shop.examples(others, learnt_from)
    return replace(shop.fit(learnt_from, SETTINGS), maker=asked.maker), asked


def test_what_completes_an_order_comes_first(trial: tuple[NextPurchaseModel, Examples]) -> None:
    """Shown one of each pair, the ranker puts the two others first; shown nothing, it cannot know them."""
    model, asked = trial
    products = len(asked.maker.statistics.product_ids)
    rows, bought = np.divmod(asked.bought, products)
    first_half = bought < PAIRS
    filled = replace(asked.histories, baskets=Baskets(rows, bought).at(first_half))

    def found(histories: Histories) -> float:
        ranked = model.rank(histories, 2)
        missing = asked.bought[~first_half]
        chosen = [row * products + ranked.candidates.products[best] for row, best in enumerate(ranked.best)]
        return float(np.isin(np.concatenate(chosen), missing).mean())

    assert found(filled) > 0.95
    assert found(asked.histories) < 0.3


def test_the_worth_of_a_basket_is_measured_on_the_rest_of_the_order(trial: tuple[NextPurchaseModel, Examples]) -> None:
    """The same orders are asked for with and without the basket in mind; what is in it counts for neither."""
    model, asked = trial
    found = begun_orders(model, asked, 2).metrics
    assert found[f"{WITH}.phr_at_2"] > found[f"{IGNORED}.phr_at_2"] + 0.3
    for name in (WITH, IGNORED):
        assert found[f"{name}.recall_at_2.low"] < found[f"{name}.recall_at_2"] < found[f"{name}.recall_at_2.high"]


def test_orders_of_one_product_have_no_rest(trial: tuple[NextPurchaseModel, Examples]) -> None:
    """Where no order can be begun and not ended, nothing is measured."""
    model, asked = trial
    rows = asked.bought // len(asked.maker.statistics.product_ids)
    assert not begun_orders(model, replace(asked, bought=asked.bought[np.diff(rows, prepend=-1) > 0]), 2).metrics
