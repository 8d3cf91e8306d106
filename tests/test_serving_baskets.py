"""What is in a basket: all that is used of a visitor whom nobody knows, one thing more of who
shares what they bought, and else nothing.
"""

from __future__ import annotations

import json

import numpy as np
import pytest

from features.shop.shop import Shop
from models.arrays import Floats
from models.next_purchase.model import NextPurchaseModel
from models.registry import CHAMPION
from models.tracking import Tracking
from serving.decisions import record as decisions
from serving.recommending.recommendation import (
    BY_BASKET,
    NOT_PERSONAL,
    PERSONAL,
    RecommendationInputs,
)
from tests.serving_shop import CATEGORIES, FOR_ITEMS, Client

pytest_plugins = ["tests.serving_fixtures"]


def shown(answer: dict) -> list[str]:
    """The products of an answer, best first."""
    return [item["product_id"] for item in answer["items"]]


@pytest.fixture
def basket(service, pool) -> list[str]:
    """Two products that somebody bought together."""
    bought = service.recommend(str(pool.take(1, CATEGORIES)[0]))
    return shown(bought)[:2]


def test_a_visitor_gets_what_goes_with_the_basket(service, basket):
    """Other baskets get other products; they say why, are marked as not personal, come before best
    sellers, and can be made again.
    """
    answer, plain = (
        service.recommend(None, basket=basket),
        service.recommend("nobody-of-this-shop", basket=basket),
    )
    assert shown(answer) != shown(plain)
    assert not set(shown(answer)) & set(basket)
    assert len(answer["items"]) == len(set(shown(answer))) == 10
    assert (answer["customer_id"], answer["personalized"], answer["not_personalized_because"]) == (
        None,
        False,
        "anonymous",
    )
    assert (answer["disclosure"], plain["disclosure"]) == (BY_BASKET, NOT_PERSONAL)
    assert answer["consent"]["used"] == []
    assert answer["preferences_url"] is None
    first = answer["items"][0]["explanation"]
    assert (
        first["reasons"][0]["text"]
        == "Customers who bought what is in the basket often choose this."
    )
    assert (
        first["base_value"] + sum(part["contribution"] for part in first["contributions"])
        == answer["items"][0]["score"]
    )
    kinds = [item["explanation"]["contributions"][0]["feature"] for item in answer["items"]]
    assert kinds == sorted(kinds, key=["fits_the_basket", "buyers_last_30_days"].index)
    assert service.replay(answer["decision_id"])["replay"] == {"identical": True}
    assert service.http.get(answer["why_url"]).status_code == 200


def test_who_shares_purchases_is_answered_with_the_basket_in_mind(service, served, pool, basket):
    """The ranker is shown how well each candidate goes with the basket, and the answer can be made
    again and looked at.
    """
    answer = service.recommend(pool.one(), basket=basket, k=50)
    assert answer["personalized"]
    assert not set(shown(answer)) & set(basket)
    fits = of_basket(served, answer["decision_id"])
    assert not np.isnan(fits).any()
    assert fits.max() > 0
    assert service.replay(answer["decision_id"])["replay"] == {"identical": True}
    assert service.http.get(answer["why_url"]).status_code == 200
    assert np.isnan(
        of_basket(served, service.recommend(pool.one(), exclude=basket)["decision_id"])
    ).all()


NEW = "zqx-canary-registered-today"
"""Somebody who never ordered."""


def agree(service: Client, *categories: str) -> None:
    """The new customer grants exactly these categories."""
    for category in CATEGORIES:
        service.say(NEW, FOR_ITEMS, category, "granted" if category in categories else "refused")


def test_a_new_customer_is_answered_by_their_basket(service, served, basket):
    """Who shares purchases and has none yet is answered with the basket in mind, with reasons, a
    page, and the same answer again.
    """
    agree(service, *CATEGORIES)
    answer, plain = service.recommend(NEW, basket=basket), service.recommend(NEW, exclude=basket)
    assert (answer["personalized"], answer["disclosure"], answer["consent"]["used"]) == (
        True,
        PERSONAL,
        list(CATEGORIES),
    )
    assert (plain["personalized"], plain["not_personalized_because"]) == (False, "unknown_customer")
    assert shown(answer) != shown(plain)
    assert not set(shown(answer)) & set(basket)
    assert of_basket(served, answer["decision_id"]).max() > 0
    for item in answer["items"]:
        why = item["explanation"]
        assert why["base_value"] + sum(
            part["contribution"] for part in why["contributions"]
        ) == pytest.approx(item["score"], abs=1e-6)
        assert {part["category"] for part in why["contributions"]} <= {"product", "purchases"}
    assert service.replay(answer["decision_id"])["replay"] == {"identical": True}
    assert service.http.get(answer["why_url"]).status_code == 200


@pytest.mark.parametrize("categories", [("order_times", "spending", "location"), ()])
def test_the_basket_of_a_new_customer_needs_their_purchases(service, basket, categories):
    """Without the consent that purchases need, their basket changes nothing."""
    agree(service, *categories)
    with_basket, without = (
        service.recommend(NEW, **asked) for asked in ({"basket": basket}, {"exclude": basket})
    )
    assert with_basket["items"] == without["items"]
    assert with_basket["not_personalized_because"] == without["not_personalized_because"]


def test_a_basket_that_nobody_knows_is_no_basket(service):
    """A new customer whose basket holds nothing that there are counts of is answered as with an
    empty one.
    """
    agree(service, *CATEGORIES)
    answer = service.recommend(NEW, basket=["no-such-product"])
    assert (answer["personalized"], answer["not_personalized_because"]) == (
        False,
        "unknown_customer",
    )


def of_basket(shop: Shop, decision_id: str) -> Floats:
    """What the ranker was shown of each product of a decision: how well it goes with the basket."""
    with shop.database.read() as connection:
        decision = decisions.read(connection, shop.vault, decision_id)
    tracking = Tracking.of(shop.workspace)
    names = NextPurchaseModel.load(
        tracking.folder(tracking.by_alias("next_purchase", CHAMPION))
    ).features
    return RecommendationInputs.from_document(json.loads(decision.inputs), None).features[
        :, names.index("fits_the_basket")
    ]


def test_no_other_basket_is_used(service, pool, basket):
    """Somebody who is named and shares nothing, or not what they bought, or whom the shop does not
    know, gets what an empty one gets.
    """
    named = {
        str(pool.take(1, ())[0]): NOT_PERSONAL,
        "nobody-of-this-shop": NOT_PERSONAL,
        pool.one(("order_times", "spending")): PERSONAL,
    }
    for customer, disclosure in named.items():
        with_basket, without = (
            service.recommend(customer, **asked)
            for asked in ({"basket": basket}, {"exclude": basket})
        )
        assert with_basket["items"] == without["items"]
        assert with_basket["disclosure"] == disclosure


def test_exclusions_hold_for_visitors_too(service, basket):
    """What is excluded is not shown, and a list of other lengths is the same list, cut."""
    whole = service.recommend(None, basket=basket, k=20)
    assert shown(service.recommend(None, basket=basket, k=5)) == shown(whole)[:5]
    assert shown(whole)[0] not in shown(
        service.recommend(None, basket=basket, exclude=shown(whole)[:1])
    )


@pytest.mark.parametrize(
    "asked", [{"basket": ["p00"]}, {"customer_id": None}, {"customer_id": None, "basket": []}]
)
def test_nobody_stays_unnamed_by_mistake(service, asked):
    """Null has to be said, and there has to be a basket: no caller forgets to name a customer."""
    refused = service.http.post("/v1/recommendations", json=asked)
    assert refused.status_code == 422
    assert "customer_id" in json.dumps(refused.json())


def test_a_privacy_signal_of_nobody_is_no_event(service, served, basket):
    """The browser's signal changes nothing for a visitor of whom nothing is used, and nothing is
    written to the ledger.
    """
    before = served.ledger.position()
    answer = service.recommend(None, basket=basket, headers={"Sec-GPC": "1"})
    assert answer["not_personalized_because"] == "anonymous"
    assert served.ledger.position() == before
