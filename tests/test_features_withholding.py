"""An answer withholds in one place: a feature stays where every category that it needs is granted
by the catalog and by the model's own record.
"""

from __future__ import annotations

import numpy as np
import pytest

from features.definitions.frames import reads_of
from features.definitions.needs import needs_of
from features.shop.online import Layout, OnlineRow
from features.shop.withholding import Withholding

LAYOUT = Layout(("spent", "home"), ("times", "recency"))
RULE = Withholding(
    LAYOUT,
    {
        "spent": frozenset({"spending"}),
        "home": frozenset({"location"}),
        "times": frozenset({"purchases"}),
        "recency": frozenset({"purchases", "order_times"}),
    },
)
ROW = OnlineRow("now", np.array([1.0, 2.0]), ("mug", "cup"), np.array([[3.0, 4.0], [5.0, 6.0]]))


@pytest.mark.parametrize(
    ("granted", "customer", "products", "columns"),
    [
        (
            {"spending", "location", "purchases", "order_times"},
            [1, 2],
            ROW.products,
            [[3, 4], [5, 6]],
        ),
        ({"spending", "purchases"}, [1, np.nan], ROW.products, [[3, np.nan], [5, np.nan]]),
        ({"location", "order_times"}, [np.nan, 2], (), np.empty((0, 2))),
        (set(), [np.nan, np.nan], (), np.empty((0, 2))),
    ],
)
def test_what_is_not_granted_is_gone(granted, customer, products, columns):
    """A value is missing where a category it needs is, and the products go with their columns."""
    allowed = RULE.allow(ROW, granted)
    np.testing.assert_array_equal(allowed.customer, customer)
    np.testing.assert_array_equal(allowed.columns, columns)
    assert (allowed.as_of, allowed.products) == (ROW.as_of, tuple(products))
    assert allowed.empty is (not granted)


def test_a_model_trained_under_more_needs_more():
    """What the catalog asks for and what the model was trained under both have to be granted, the
    products' categories too.
    """
    both = RULE.also({"spent": {"purchases"}, "unheard_of": {"mood"}}, {"order_times"})
    assert np.isnan(both.allow(ROW, {"spending"}).customer[0])
    assert both.allow(ROW, {"spending", "purchases"}).customer[0] == 1
    assert both.allow(ROW, {"spending", "purchases"}).products == ()
    assert not both.entries_allowed({"purchases"})
    assert both.allow(ROW, {"purchases", "order_times"}).products == ROW.products


def test_the_catalog_says_what_a_feature_needs(shop):
    """The rule of a layout is made of the categories of every field that its features read."""
    catalog, features = shop.config.catalog, shop.config.models.next_purchase.features
    rule = Withholding.declared(catalog, Layout.of(features))
    assert rule.needs == needs_of(catalog, features)
    assert rule.needs == {name: catalog.categories_of(reads_of(name)) for name in features}
