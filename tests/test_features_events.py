"""What may be kept of what comes back, and purchases that come back twice."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from features.catalog import Catalog, Category, Field, Purpose
from features.events.collecting import may_be_kept, needed
from features.events.event import KINDS, DecisionEvent
from features.events.purchases import not_in_file

PURPOSE = "recommendations"
BOUGHT = DecisionEvent("e", "dec_1", "bought", "2024-06-01", "mug")


def field(table: str, column: str, category: str, *purposes: str) -> Field:
    """A declared field."""
    return Field(table, column, category, frozenset(purposes), "ordinary", "shop", 365, column)


def catalog(*fields: Field) -> Catalog:
    """A catalog of these fields."""
    return Catalog(
        {one.name: one for one in fields},
        {one.category: Category(one.category, "", "") for one in fields},
        {PURPOSE: Purpose(PURPOSE, "", "")},
        (),
        {},
    )


PRODUCTS = field("transactions", "product_id", "purchases", PURPOSE)
VIEWS = field("interactions", "product_id", "browsing", PURPOSE)


def test_each_kind_needs_what_the_catalog_says():
    """A purchase needs the category of purchases, what was seen `browsing` where there is such a
    category, else all that the decision used, and a wish nothing.
    """
    wishes = {"dismissed", "complained", "unsubscribed"}
    for kind in KINDS:
        plain = needed(kind, catalog(PRODUCTS), PURPOSE, ["spending", "purchases"])
        browsed = needed(kind, catalog(PRODUCTS, VIEWS), PURPOSE, ["spending"])
        unused = needed(kind, catalog(PRODUCTS), PURPOSE, [])
        if kind in wishes:
            assert plain == browsed == unused == frozenset()
        elif kind == "bought":
            assert plain == browsed == unused == {"purchases"}
        else:
            assert (plain, browsed, unused) == ({"spending", "purchases"}, {"browsing"}, None)
    elsewhere = catalog(replace(PRODUCTS, purposes=frozenset({"other"})))
    assert needed("bought", elsewhere, PURPOSE, ["purchases"]) is None


@pytest.mark.parametrize(
    ("covered", "kept"),
    [
        ({}, False),
        ({"spending": None}, False),
        ({"purchases": None}, True),
        ({"purchases": "2024-05-31"}, True),
        ({"purchases": "2024-06-02"}, False),
    ],
)
def test_a_grant_has_to_cover_the_moment_too(covered, kept):
    """What happened before the customer agreed is not kept, unless the notice said that it is."""
    assert may_be_kept(BOUGHT, frozenset({"purchases"}), covered) is kept
    assert not may_be_kept(BOUGHT, None, covered)


def test_two_events_of_one_id_are_told_apart_by_all_that_they_say():
    """Any other value makes another event, but for the id."""
    others = (
        {"decision_id": "dec_2"},
        {"kind": "clicked"},
        {"occurred_at": "2024-06-02"},
        {"product_id": None},
        {"value": 1.0},
        {"currency": "EUR"},
        {"order_id": "1"},
    )
    assert replace(BOUGHT, event_id="f").body == BOUGHT.body
    assert len({replace(BOUGHT, **other).body for other in others} | {BOUGHT.body}) == 8


def test_a_purchase_that_the_file_of_orders_holds_too_counts_once():
    """An event joins the line of its order and product, or without an order number that of the same
    product within two days; all else is not in the file yet.
    """
    bought = pd.DataFrame(
        [
            (1, "mug", "A", "2024-06-01"),
            (1, "mug", "B", "2024-06-01"),
            (1, "tea", "A", "2024-06-01"),
            (2, "mug", "A", "2024-06-01"),
            (1, "mug", None, "2024-06-02"),
            (1, "mug", None, "2024-06-04"),
            (2, "tea", None, "2024-06-01"),
        ],
        columns=["customer", "product_id", "order_id", "occurred_at"],
        index=[10, 11, 12, 13, 14, 15, 16],
    ).astype({"occurred_at": "datetime64[us]"})
    file = pd.DataFrame(
        [
            (1, "mug", "A", "2024-06-01"),
            (1, "mug", "A", "2024-06-01"),
            (2, "pot", "A", "2024-06-01"),
        ],
        columns=["customer", "product_id", "order_id", "ordered_at"],
    ).astype({"ordered_at": "datetime64[us]"})
    assert not_in_file(bought, file).index.tolist() == [11, 12, 13, 15, 16]
    assert not_in_file(bought.iloc[:0], file).empty
    assert len(not_in_file(bought, file.iloc[:0])) == len(bought)
