"""What looks impossible stops a promotion, with its likely cause."""

from __future__ import annotations

import pandas as pd
import pytest

from experiments.promotion import oddities
from experiments.promotion.oddities import odd_figures, odd_record


@pytest.mark.parametrize(
    ("metrics", "odd"),
    [
        ({"auc": 0.95}, 0),
        ({"auc": 0.995}, 1),
        ({"recall_at_10": 1.0}, 1),
        ({"recall_at_10": 0.4}, 0),
        ({}, 0),
    ],
)
def test_figures_that_are_too_good_are_odd(metrics: dict[str, float], odd: int) -> None:
    """A model that knows what it should foresee has seen it."""
    assert len(list(odd_figures(metrics))) == odd


def made(customers: int, changes: dict[str, object]) -> pd.DataFrame:
    """An order of each customer on a day of its own, so changed."""
    number = range(customers)
    frame = pd.DataFrame(
        {
            "customer": number,
            "order_id": [str(each) for each in number],
            "product_id": [f"p{each % 7}" for each in number],
            "ordered_at": pd.Timestamp(2026, 1, 1) + pd.to_timedelta([*number], "D"),
        }
    )
    return frame.assign(**changes)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, None),
        ({"customer": [1] * 20 + [*range(40)]}, "one customer has"),
        ({"ordered_at": pd.Timestamp(2026, 1, 1)}, "are of one day"),
        ({"product_id": ["post"] * 59 + ["mug"]}, "bought by"),
    ],
    ids=["as usual", "guests of one id", "the day of the export", "postage"],
)
def test_an_odd_record_names_its_likely_cause(changes, words, shop, monkeypatch) -> None:
    """Each oddity of a record is told, and a usual one has none."""
    monkeypatch.setattr(oddities, "orders", lambda *_: made(60, changes))
    found = list(odd_record(shop))
    assert [words in each for each in found if words] == ([True] if words else [])
    assert bool(found) == (words is not None)


def test_a_few_customers_are_not_odd(shop, monkeypatch) -> None:
    """In a shop of a few customers anybody may have a fifth of the orders."""
    monkeypatch.setattr(oddities, "orders", lambda *_: made(5, {"customer": 1}))
    assert list(odd_record(shop)) == []


def test_an_address_in_a_title_is_odd(shop, monkeypatch) -> None:
    """What looks like an e-mail address is no title of a product."""
    products = shop.warehouse.products().assign(title="ann@example.org")
    monkeypatch.setattr(oddities, "orders", lambda *_: made(60, {}))
    monkeypatch.setattr(shop.warehouse, "products", lambda: products)
    assert "e-mail address" in " ".join(odd_record(shop))
