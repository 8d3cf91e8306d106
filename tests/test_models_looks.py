"""Products that were only looked at beside those that were bought: what each may tell, and when."""

from __future__ import annotations

import numpy as np
import pandas as pd

from features.definitions.frames import are_of_looks
from features.shop.online import Layout, OnlineRow
from features.shop.withholding import Withholding
from models.masking import Masking
from models.next_purchase.candidate_features import Comparison
from models.next_purchase.candidates import CandidateMaker
from models.next_purchase.histories import Histories, HistoryMasking
from models.next_purchase.product_statistics import ProductStatistics, product_statistics

HISTORY = (
    "times_bought",
    "days_since_last_bought",
    "orders_since_last_bought",
    "recent_frequency",
    "days_since_last_viewed",
    "days_since_in_basket",
)
CUSTOMER = ("orders",)
PURCHASES, TIMES, BROWSING = "purchases", "order_times", "browsing"
NEEDS = [{PURCHASES}, {PURCHASES, TIMES}, {PURCHASES, TIMES}, {PURCHASES, TIMES}] + 2 * [{BROWSING}]
MASKING = HistoryMasking(
    frozenset({PURCHASES}),
    Masking.of(NEEDS, (PURCHASES, TIMES, BROWSING)),
    Masking.of([{PURCHASES}], (PURCHASES, TIMES, BROWSING)),
    are_of_looks(HISTORY),
)
NAN = np.nan
TEA, CUP, FOX = 0, 1, 2
COLUMNS = np.array(
    [
        [2.0, 5.0, 0.0, 1.9, NAN, NAN],  # tea was bought
        [1.0, 5.0, 0.0, 1.0, 2.0, 1.0],  # a cup was bought, and put into the basket again
        [NAN, NAN, NAN, NAN, 3.0, 3.0],  # a fox was put into the basket alone
    ]
)
ONE = Histories(np.array([0, 3]), np.array([TEA, CUP, FOX]), COLUMNS, np.array([[2.0]]))


def statistics() -> ProductStatistics:
    """Of three products, each bought by twenty customers."""
    days = pd.date_range("2026-01-01", periods=20)
    rows = [
        (customer, f"{customer}-{n}", product, day)
        for customer, day in enumerate(days)
        for n, product in enumerate(("cup", "fox", "tea"))
    ]
    orders = pd.DataFrame(rows, columns=["customer", "order_id", "product_id", "ordered_at"])
    return product_statistics(orders, days[-1] + pd.Timedelta("1D"), 90)


def at(histories: Histories) -> list[int]:
    """The products of the only history."""
    return histories.products.tolist()


def test_what_was_only_looked_at_is_no_purchase() -> None:
    """It is left out where purchases are asked for."""
    assert at(ONE.bought(MASKING.looks)) == [TEA, CUP]
    assert ONE.bought(np.zeros(len(HISTORY), dtype=bool)) is ONE


def test_looks_and_purchases_are_withheld_apart() -> None:
    """Without purchases looks are left and nothing tells what was bought; without browsing it is
    the other way round; without both there is nothing.
    """
    looks = MASKING.allow(ONE, {BROWSING})
    assert at(looks) == [CUP, FOX]
    assert np.isnan(looks.columns[:, :4]).all()
    assert looks.columns[:, 4].tolist() == [2.0, 3.0]
    bought = MASKING.allow(ONE, {PURCHASES, TIMES})
    assert at(bought) == [TEA, CUP]
    assert np.isnan(bought.columns[:, 4:]).all()
    assert at(MASKING.allow(ONE, {TIMES})) == []


def test_serving_withholds_as_training_does() -> None:
    """A stored row under a customer's grants has the entries that the mask leaves."""
    names = ("tea", "cup", "fox")
    row = OnlineRow("2026-06-01", np.array([2.0]), names, COLUMNS)
    needs = dict(zip((*CUSTOMER, *HISTORY), [{PURCHASES}, *NEEDS], strict=True))
    rule = Withholding(
        Layout(CUSTOMER, HISTORY),
        {name: frozenset(need) for name, need in needs.items()},
        frozenset({PURCHASES}),
    )
    for granted in ({BROWSING}, {PURCHASES, TIMES}, {TIMES}, {PURCHASES, TIMES, BROWSING}, set()):
        masked, allowed = MASKING.allow(ONE, granted), rule.allow(row, granted)
        assert allowed.products == tuple(names[product] for product in at(masked))
        np.testing.assert_array_equal(allowed.columns, masked.columns)


def test_a_look_makes_a_candidate_and_counts_for_nothing_else() -> None:
    """The fox is offered, was bought no time, goes with nothing by itself, and was left in the
    basket; the cup was too, and the tea never was in it.
    """
    known = statistics()
    order = [known.product_ids.tolist().index(name) for name in ("tea", "cup", "fox")]
    products = np.array(order)
    sequence = np.argsort(products)
    histories = Histories(ONE.starts, products[sequence], COLUMNS[sequence], np.array([[2.0]]))
    maker = CandidateMaker(known, HISTORY, CUSTOMER)
    made = maker.make(histories)
    places = [int(np.flatnonzero(made.products == product)[0]) for product in order]

    def values(name: str) -> list[float]:
        column = made.features[:, maker.features.index(name)]
        return [float(column[place]) for place in places]

    assert values("times_bought") == [2.0, 1.0, 0.0]
    assert values("share_of_your_orders") == [1.0, 0.5, 0.0]
    np.testing.assert_array_equal(values("left_in_the_basket"), [NAN, 1.0, 1.0])
    alone = Comparison(histories, known, HISTORY, CUSTOMER)
    plain = Comparison(histories.bought(maker.looks), known, HISTORY, CUSTOMER)
    for name, affinity in alone.affinities.items():
        np.testing.assert_array_equal(affinity, plain.affinities[name])
