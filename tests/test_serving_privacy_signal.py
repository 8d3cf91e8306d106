"""The privacy signal of a browser (`Sec-GPC: 1`): it is kept as what the customer said, withholds,
and never grants.
"""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from features.consent.verification import verify_ledger
from features.database.tables import consent_events, customers
from features.shop.shop import Shop
from tests.serving_shop import CANARY, CATEGORIES, FOR_CHURN, FOR_ITEMS

pytest_plugins = ["tests.serving_fixtures"]

GPC = {"Sec-GPC": "1"}


def signals(shop: Shop, customer: str) -> list[dict]:
    """The signals that the ledger has of a customer."""
    found = shop.customers.find(customer)
    assert found is not None
    return [event for event in shop.ledger.history(found) if event["action"] == "privacy_signal"]


def used(shop: Shop, customer: str, purpose: str) -> set[str]:
    """Categories that may be used of a customer for a purpose."""
    found = shop.customers.find(customer)
    assert found is not None
    return {
        entry["category"]
        for entry in shop.ledger.state(found)
        if entry["purpose"] == purpose and entry["allowed"]
    }


def position(shop: Shop) -> int:
    """How many events the ledger has."""
    with shop.database.read() as connection:
        return int(
            connection.execute(select(func.count()).select_from(consent_events)).scalar_one()
        )


def test_a_signal_is_recorded_once_for_each_granted_category(service, served, pool):
    """Two requests with the header leave one event for each category that was granted for that
    purpose, and say how it came.
    """
    shared = tuple(name for name in CATEGORIES if name != "location")
    customer = pool.one(shared)
    for _ in range(2):
        assert (
            service.recommend(customer, headers=GPC)["not_personalized_because"] == "privacy_signal"
        )
    found = signals(served, customer)
    assert [event["purpose"] for event in found] == [FOR_ITEMS] * len(shared)
    assert {event["category"] for event in found} == set(shared)
    assert {(event["method"], event["actor"]) for event in found} == {("Sec-GPC", "browser")}
    assert all(event["notice_version"] is None and event["valid_until"] is None for event in found)
    assert verify_ledger(served.database, served.config.catalog) >= len(found)


def test_a_signal_withholds_afterwards_too(service, served, pool):
    """Later requests without the header use nothing any more, while what was granted for other
    purposes stands.
    """
    customer = pool.one()
    assert service.recommend(customer)["personalized"]
    service.recommend(customer, headers=GPC)
    later = service.recommend(customer)
    assert later["not_personalized_because"] == "no_consent"
    assert later["consent"]["used"] == []
    assert used(served, customer, FOR_ITEMS) == set()
    assert used(served, customer, FOR_CHURN) == set(CATEGORIES)
    assert service.churn(customer)["available"]


def test_a_signal_grants_nothing(service, served, pool):
    """Who shares nothing gets no event and no personal answer by it, and refusals stay refusals."""
    customer = pool.one(())
    before = position(served)
    assert service.recommend(customer, headers=GPC)["personalized"] is False
    assert position(served) == before
    assert signals(served, customer) == []
    assert used(served, customer, FOR_ITEMS) == set()


@pytest.mark.parametrize("value", ["0", "", "true", "11"])
def test_another_value_is_no_signal(service, served, pool, value):
    """Only `1` says something; any other value changes nothing."""
    customer = pool.one()
    assert service.recommend(customer, headers={"Sec-GPC": value})["personalized"]
    assert signals(served, customer) == []


def test_a_later_grant_stands_while_requests_with_the_header_stay_impersonal(service, served, pool):
    """Who allows a category after a signal is personalised without the header, never with it, and
    is not asked to say it again.
    """
    customer = pool.one()
    service.recommend(customer, headers=GPC)
    service.say(customer, FOR_ITEMS, "purchases", "granted")
    count = len(signals(served, customer))
    for _ in range(2):
        assert (
            service.recommend(customer, headers=GPC)["not_personalized_because"] == "privacy_signal"
        )
    assert len(signals(served, customer)) == count
    without = service.recommend(customer)
    assert without["personalized"]
    assert without["consent"]["used"] == ["purchases"]
    assert used(served, customer, FOR_ITEMS) == {"purchases"}


def test_a_category_granted_for_the_first_time_is_covered_by_the_next_signal(service, served, pool):
    """A signal concerns what was granted when it came; what is first granted later meets a signal
    of its own.
    """
    customer = pool.one(("purchases", "order_times", "spending"))
    service.recommend(customer, headers=GPC)
    service.say(customer, FOR_ITEMS, "location", "granted")
    service.recommend(customer, headers=GPC)
    assert sorted(event["category"] for event in signals(served, customer)) == sorted(CATEGORIES)
    assert service.recommend(customer)["not_personalized_because"] == "no_consent"


def test_an_unknown_customer_leaves_nothing(service, served):
    """A signal with an id that the shop never told of adds no customer and no event."""
    before = position(served)
    answer = service.recommend(CANARY + "passer-by", headers=GPC)
    assert answer["not_personalized_because"] == "unknown_customer"
    assert position(served) == before
    with served.database.read() as connection:
        assert (
            connection.execute(
                select(customers).where(customers.c.external_id == CANARY + "passer-by")
            ).one_or_none()
            is None
        )
