"""What goes with a basket: by the weights of EASE alone, and nothing that must not be shown."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.next_purchase.basket_complements import complements
from models.next_purchase.product_statistics import ProductStatistics, product_statistics
from tests.test_models_product_statistics import AS_OF, some_orders


@pytest.fixture(scope="module")
def statistics() -> ProductStatistics:
    """Statistics of some orders, in which products go together and some are no longer sold."""
    frames = (
        product_statistics(some_orders(seed, customers=60, products=9)[0], AS_OF, 60)
        for seed in range(200)
    )
    return next(made for made in frames if made.fitting.nnz > 12 and not made.sold.all())


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_companions_by_brute_force(data: st.DataObject, statistics: ProductStatistics) -> None:
    """They are the products still sold with the largest sums of weights, and neither hidden nor in
    the basket.
    """
    ids = [*statistics.product_ids.tolist(), "never heard of"]
    basket, hidden = (data.draw(st.lists(st.sampled_from(ids), max_size=4)) for _ in range(2))
    most = data.draw(st.integers(1, 8))
    weights = {}
    for at, product in enumerate(statistics.product_ids.tolist()):
        spoken = sum(
            float(statistics.fitting[row, at])
            for row in statistics.positions(sorted(set(basket)))
            if row >= 0
        )
        if spoken > 0 and statistics.sold[at] and product not in {*basket, *hidden}:
            weights[product] = spoken
    found = complements(statistics, basket, hidden, most)
    expected = sorted(weights, key=lambda product: (-round(weights[product], 9), product))[:most]
    assert [product for product, _ in found] == expected
    np.testing.assert_allclose(
        [weight for _, weight in found], [weights[product] for product in expected], rtol=1e-6
    )


def test_an_empty_basket_has_no_companions(statistics: ProductStatistics) -> None:
    """Where nothing is in the basket, or nothing that is known, nothing goes with it."""
    assert (
        complements(statistics, (), (), 5)
        == complements(statistics, ("never heard of",), (), 5)
        == ()
    )
