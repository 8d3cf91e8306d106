"""What cannot be bought is not recommended."""

from __future__ import annotations

import pytest

from features.intake.availability import is_available
from features.shop.shop import Shop
from serving.contract.requests import RecommendationRequest
from serving.live.assortment import stock
from serving.recommending.filters import hidden_from_all, hidden_products


@pytest.mark.parametrize(
    ("state", "in_stock", "available"),
    [
        (None, None, True),
        ("active", "3", True),
        ("Out of stock", None, False),
        ("discontinued", "12", False),
        ("In stock", "0", False),
        ("publish", "2,5", True),
        ("Épuisé", None, False),
        (None, "-1", False),
        (None, "plenty", True),
        ("0", None, False),
    ],
)
def test_state_and_stock_say_whether_a_product_can_be_bought(state, in_stock, available) -> None:
    """Either of them can say no; what says neither is available."""
    assert is_available(state, in_stock) is available


def test_what_is_not_available_is_hidden_from_every_list(shop: Shop, monkeypatch) -> None:
    """A product without stock is no best seller's neighbour: it may not appear at all."""
    products = shop.warehouse.products()
    gone = str(products["product_id"].iloc[0])
    stocked = products.assign(stock=["0", *["5"] * (len(products) - 1)])
    monkeypatch.setattr(shop.warehouse, "products", lambda: stocked)
    assortment = stock(shop)
    assert assortment.unavailable == {gone}
    request = RecommendationRequest(customer_id="nobody")

    class Nobody:
        """A customer who said nothing."""

        def values(self, _scope: str) -> frozenset[str]:
            """What they opted out of."""
            return frozenset()

    policy = shop.config.contact_policy
    shared = hidden_from_all(policy, request, assortment, frozenset())
    assert gone in hidden_products(request, Nobody(), assortment, shared)
