"""What a request may ask for, and what it leaves out."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pandas as pd
import pytest

from explain.coalition_scores import Allowed
from features.config.schema import ContactPolicySection
from features.shop.online import online_stores
from features.shop.shop import Shop
from models.next_purchase.candidates import CandidateMaker
from models.next_purchase.histories import Histories
from models.next_purchase.product_statistics import product_statistics
from serving.contract.requests import RecommendationRequest
from serving.live.assortment import Assortment
from serving.recommending.allowed import UnknownName, refuse_unknown
from serving.recommending.known import bought_ever
from tests.serving_shop import CATEGORIES

pytest_plugins = ["tests.serving_fixtures"]


def bought(shop: Shop, customer: str) -> dict[str, float]:
    """Days since a customer bought each product that they did."""
    online = online_stores(shop)[1]
    row = online.ready(shop.customers.pseudonym(customer))
    since = row.columns[:, online.layout.history.index("days_since_last_bought")]
    return dict(zip(row.products, since.tolist(), strict=True))


@pytest.mark.parametrize("channel", ["emial", "webb", "e mial"])
def test_a_channel_that_there_is_not_is_refused(service, pool, channel):
    """A misspelt channel would pass by an opt-out of the right one."""
    body = {"customer_id": pool.one(), "channel": channel}
    refused = service.http.post("/v1/recommendations", json=body)
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["field"] == "channel"
    assert "email" in refused.json()["errors"][0]["detail"]
    opt_out = {"customer_id": body["customer_id"], "scope": "channel", "value": channel}
    assert service.http.post("/v1/opt-outs", json=opt_out).status_code == 422


def test_a_product_category_that_there_is_not_is_refused(service, pool):
    """Its list would be empty, and nobody would know why; what there is is named."""
    body = {"customer_id": pool.one(), "product_categories": ["departmant 1"]}
    refused = service.http.post("/v1/recommendations", json=body)
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["field"] == "product_categories"
    assert "did you mean 'department 1'" in refused.json()["detail"]


def test_the_product_category_that_was_meant_is_named():
    """A misspelt name comes back with what it is like; those that are there pass."""
    shop = Assortment(product_categories={"kitchen": ("mug",), "garden": ("spade",)})
    policy = ContactPolicySection()

    def ask(*names: str) -> None:
        request = RecommendationRequest(customer_id="c", product_categories=names)
        refuse_unknown(request, policy, shop)

    ask("kitchen", "garden")
    with pytest.raises(UnknownName, match="did you mean 'kitchen'"):
        ask("garden", "kichten")


def test_what_was_bought_lately_is_left_out(service, served, pool):
    """With `not_bought_within` nothing that was bought within so many days is listed, and what was
    bought before that still is.
    """
    customer = pool.one()
    ago = bought(served, customer)
    middle = sorted(ago.values())[len(ago) // 2]
    days = int(middle) + 1
    listed = {
        item["product_id"]
        for item in service.recommend(customer, k=100, not_bought_within=days)["items"]
    }
    assert {product for product, since in ago.items() if since <= days} & listed == set()
    usual = {item["product_id"] for item in service.recommend(customer, k=100)["items"]}
    assert usual & {product for product, since in ago.items() if since > days} <= listed
    assert usual & {product for product, since in ago.items() if since <= days}


def test_only_new_products_are_listed_where_that_is_asked_for(service, served, pool):
    """With `only_new` nothing that was bought is listed, and the decision replays."""
    customer = pool.one()
    ago = bought(served, customer)
    answer = service.recommend(customer, k=100, only_new=True)
    assert ago
    assert {item["product_id"] for item in answer["items"]}.isdisjoint(ago)
    assert service.replay(answer["decision_id"])["replay"] == {"identical": True}


def test_what_was_only_looked_at_is_not_left_out_as_bought():
    """With `only_new` a product that somebody looked at and never bought may be listed."""
    orders = pd.DataFrame(
        {
            "customer": [1],
            "order_id": ["1"],
            "product_id": ["mug"],
            "ordered_at": [pd.Timestamp("2024-01-01")],
        }
    )
    statistics = product_statistics(orders, datetime(2024, 1, 2), 30)  # noqa: DTZ001 - naive UTC
    maker = CandidateMaker(statistics, ("times_bought", "days_since_last_viewed"), ())
    columns = np.array([[2.0, np.nan], [np.nan, 3.0]])
    histories = Histories(np.array([0, 2]), np.array([4, 7]), columns, np.zeros((1, 0)))
    assert bought_ever(maker, Allowed(histories, statistics)).tolist() == [4]


def test_who_withholds_their_purchases_is_not_found_out_by_what_is_left_out(service, pool):
    """Without purchases `only_new` changes nothing: what was bought is not known."""
    customer = pool.one(tuple(name for name in CATEGORIES if name != "purchases"))
    usual = service.recommend(customer)["items"]
    assert [i["product_id"] for i in service.recommend(customer, only_new=True)["items"]] == [
        i["product_id"] for i in usual
    ]
