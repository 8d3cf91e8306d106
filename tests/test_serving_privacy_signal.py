"""The privacy signal of a browser (`Sec-GPC: 1`): it is kept as what the customer said, withholds,
and never grants.
"""

from __future__ import annotations

import httpx
import pytest
from sqlalchemy import func, select

from features.consent.verification import verify_ledger
from features.database.tables import consent_events, customers
from features.shop.shop import Shop
from tests.serving_shop import CANARY, CATEGORIES, FOR_CHURN, FOR_ITEMS

pytest_plugins = ["tests.serving_fixtures"]

GPC = {"Sec-GPC": "1"}
OLD = "2020-01-01T00:00:00Z"


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


def test_churn_is_not_estimated_for_who_signals(service, served, pool):
    """The estimate is withheld with the reason, the signal recorded for its purpose alone and
    confirmed in the answer's head; later requests use nothing either.
    """
    customer = pool.one()
    asked = service.http.post("/v1/churn", json={"customer_id": customer}, headers=GPC)
    answer = service.answer(asked)
    assert (answer["available"], answer["unavailable_because"]) == (False, "privacy_signal")
    assert "probability" not in answer
    assert asked.headers["Privacy-Signal"] == "honoured"
    assert {event["purpose"] for event in signals(served, customer)} == {FOR_CHURN}
    assert used(served, customer, FOR_ITEMS) == set(CATEGORIES)
    assert service.replay(answer["decision_id"])["replay"] == {"identical": True}
    assert service.churn(customer)["unavailable_because"] == "no_consent"


def test_recommendations_confirm_the_signal(service, pool):
    """The head of the answer says that the signal was honoured, and of no other answer."""
    body = {"customer_id": pool.one()}
    signalled = service.http.post("/v1/recommendations", json=body, headers=GPC)
    assert signalled.headers["Privacy-Signal"] == "honoured"
    plain = service.http.post("/v1/recommendations", json=body)
    assert "Privacy-Signal" not in plain.headers


@pytest.mark.parametrize(
    ("page", "what_if"),
    [("why", "Without it, "), ("preferences", "If you stop this, "), ("panel", None)],
)
def test_a_page_obeys_the_signal_and_confirms_it(service, served, pool, page, what_if):
    """Opened by a browser that signals, a page works nothing out, says so, and the ledger has the
    signal for both purposes.
    """
    customer = pool.one()
    answer = service.recommend(customer)
    address = {
        "why": answer["why_url"],
        "panel": answer["why_url"] + "/panel",
        "preferences": answer["preferences_url"],
    }[page]
    assert what_if is None or what_if in service.page(address).text
    shown = httpx.get(address, headers=GPC, timeout=30.0)
    assert "Your browser asks not to be profiled. We noted that" in shown.text
    assert what_if is None or what_if not in shown.text
    assert {event["purpose"] for event in signals(served, customer)} == {FOR_ITEMS, FOR_CHURN}
    assert used(served, customer, FOR_ITEMS) == used(served, customer, FOR_CHURN) == set()
    assert "asks not to be profiled. We noted" not in service.page(address).text


def test_what_is_chosen_on_the_page_stands_in_spite_of_the_signal(service, served, pool):
    """Who allows a category on their page, by a browser that signals all the time, has chosen it
    knowingly: it holds when they look again.
    """
    customer = pool.one(("purchases", "order_times", "spending"))
    address = service.recommend(customer)["preferences_url"]
    form = {"purpose": FOR_ITEMS, "category": "location", "action": "granted"}
    done = httpx.post(address, data=form, headers=GPC, timeout=30.0, follow_redirects=True)
    assert done.status_code == 200
    assert used(served, customer, FOR_ITEMS) == {"location"}
    assert "Your browser asks not to be profiled. We noted that." in done.text


def test_an_answer_says_by_which_rule_a_consent_counts(service, pool):
    """The receipt tells whether what was said takes effect, and why, in a word and a sentence."""
    customer = pool.one()
    said = {"customer_id": f" {customer} ", "purpose": FOR_ITEMS, "category": "purchases"}
    said |= {"method": "form", "action": "withdrawn"}
    now = service.answer(service.http.post("/v1/consents", json=said), 201)
    assert (now["takes_effect"], now["rule"]) == (True, "newest")
    late = {
        **said,
        "action": "granted",
        "notice_version": "1",
        "occurred_at": "2020-01-01T00:00:00Z",
    }
    then = service.answer(service.http.post("/v1/consents", json=late), 201)
    assert (then["takes_effect"], then["rule"]) == (False, "older_grant")
    assert "older than the refusal or withdrawal" in then["explanation"]
    assert "purchases" not in service.recommend(customer)["consent"]["used"]
