"""A visitor becomes a customer: what either withheld is withheld, rows come along where both
agree, and an erasure takes both.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import insert, select

from features import clock
from features.consent.verification import verify_ledger
from features.database.tables import (
    arrivals,
    audience_members,
    kept_answers,
    preferred_channels,
    webhook_calls,
)
from features.events.arrivals import read
from features.shop.shop import Shop
from serving.access.one_time_codes import GoodFor
from serving.access.signed_links import Page
from serving.decisions.audience_members import keep_members
from serving.rights.upkeep import upkeep
from serving.webhooks.event import Event, EventKind
from serving.webhooks.outbox import Outbox

pytest_plugins = ["tests.consent_tools_fixtures", "tests.serving_fixtures"]
FOR_ITEMS, FOR_CHURN = "recommendations", "churn_prediction"
BROWSING, PURCHASES = "browsing", "purchases"


@pytest.fixture
def visitor() -> str:
    """A visitor of whom nothing was told."""
    return f"visitor-{uuid4().hex}"


@pytest.fixture
def customer() -> str:
    """A customer of whom nothing was told."""
    return f"{uuid4().hex}@example.com"


def says(
    client: TestClient,
    who: str,
    action: str,
    *about: tuple[str, str],
    version: str = "1",
    **more: str,
) -> None:
    """Record what somebody said about categories for purposes."""
    notice = {"notice_version": version} if action == "granted" else {}
    choices = [{"purpose": p, "category": c, "action": action, **notice} for p, c in about]
    body = {"customer_id": who, "method": "banner", "choices": choices, **more}
    assert client.post("/v1/consents", json=body).status_code == 201


def looks(client: TestClient, who: str, *products: str, ago: float = 1.0) -> dict[str, Any]:
    """Somebody puts products into their basket, so many minutes ago."""
    moment = clock.to_text(clock.utc_now() - timedelta(minutes=ago))
    about = {"customer_id": who, "kind": "cart", "occurred_at": moment, "session": "s1"}
    rows = [{"id": uuid4().hex, "product_id": one, **about} for one in products]
    answer = client.post("/v1/interactions", json={"interactions": rows})
    told: dict[str, Any] = answer.json()
    return told


def join(client: TestClient, customer: str, visitor: str, status: int = 200) -> dict[str, Any]:
    """What came of a visitor becoming a customer."""
    answer = client.post(f"/v1/customers/{customer}/visitors", json={"visitor_id": visitor})
    assert answer.status_code == status, answer.text
    told: dict[str, Any] = answer.json()
    return told


def stands(client: TestClient, who: str) -> dict[tuple[str, str], str]:
    """Where somebody stands, of what was said."""
    found = client.get(f"/v1/customers/{who}/consents").json()["state"]
    return {
        (one["purpose"], one["category"]): one["action"]
        for one in found
        if one["action"] != "unknown"
    }


def basket(shop: Shop, who: str) -> list[str]:
    """The products of somebody's interactions, as the gate is handed them."""
    with shop.database.read() as connection:
        found = read(connection, shop.vault, customer=shop.customers.pseudonym(who))
    return [row["browsed_product_id"] for one in found for row in one.content.rows["interactions"]]


def test_a_basket_comes_along_where_both_agree(client, asked, visitor, customer):
    """What both grant is the customer's from then on, whoever is asked for; and again changes
    nothing.
    """
    says(client, visitor, "granted", (FOR_ITEMS, BROWSING))
    says(client, customer, "granted", (FOR_ITEMS, BROWSING), (FOR_ITEMS, PURCHASES))
    assert looks(client, visitor, "MUG", "TEA")["accepted"] == 2
    told = join(client, customer, visitor)
    assert (told["categories"], told["rows"], told["rows_left_behind"]) == ([BROWSING], 2, 0)
    assert not told["repeated"]
    for who in (customer, visitor):
        assert basket(asked.shop, who) == ["MUG", "TEA"]
        assert stands(client, who) == {
            (FOR_ITEMS, BROWSING): "granted",
            (FOR_ITEMS, PURCHASES): "granted",
        }
    again = join(client, customer, visitor)
    assert again["repeated"]
    assert (again["joined_at"], again["ledger_seq"]) == (told["joined_at"], told["ledger_seq"])
    assert looks(client, visitor, "CUP")["accepted"] == 1
    assert basket(asked.shop, customer) == ["MUG", "TEA", "CUP"]
    verify_ledger(asked.shop.database, asked.shop.config.catalog)


def test_what_either_withheld_is_withheld(client, visitor, customer):
    """The most restrictive counts, what only the visitor granted is not the customer's, and who
    told of it stands in the ledger.
    """
    says(client, visitor, "granted", (FOR_ITEMS, PURCHASES), (FOR_CHURN, PURCHASES))
    says(client, visitor, "withdrawn", (FOR_ITEMS, BROWSING))
    says(client, customer, "granted", (FOR_ITEMS, BROWSING))
    says(client, customer, "refused", (FOR_CHURN, PURCHASES))
    told = join(client, customer, visitor)
    assert told["categories"] == []
    assert stands(client, customer) == {
        (FOR_ITEMS, BROWSING): "withdrawn",
        (FOR_CHURN, PURCHASES): "refused",
    }
    events = client.get(f"/v1/customers/{customer}/consents").json()["history"]
    joining = [one for one in events if one["method"] == "joined_visitor"]
    assert {one["action"] for one in joining} == {"withdrawn", "merged"}
    assert {one["actor"].partition(":")[0] for one in joining} == {"key"}
    says(client, visitor, "withdrawn", (FOR_CHURN, PURCHASES))
    assert stands(client, customer)[FOR_CHURN, PURCHASES] == "withdrawn"


@pytest.mark.parametrize(
    ("visitors", "customers"),
    [("refused", "granted"), (None, "refused"), (None, None)],
)
def test_rows_are_left_behind_where_one_does_not_grant(
    client, asked, visitor, customer, visitors, customers
):
    """A row goes, and does not come back with a later grant, unless visitor and customer both
    granted what it is.
    """
    says(client, visitor, "granted", (FOR_ITEMS, BROWSING))
    looks(client, visitor, "MUG")
    if visitors is not None:
        says(client, visitor, visitors, (FOR_ITEMS, BROWSING))
    if customers is not None:
        says(client, customer, customers, (FOR_ITEMS, BROWSING))
    told = join(client, customer, visitor)
    assert (told["rows"], told["rows_left_behind"]) == (0, 1)
    says(client, customer, "granted", (FOR_ITEMS, BROWSING))
    assert basket(asked.shop, customer) == []


def test_rows_may_be_used_for_no_more_than_the_visitor_granted(client, visitor, customer):
    """A customer who grants a category for another purpose too does not do so for the visitor's
    rows, and neither for those from before the visitor's grant.
    """
    says(client, visitor, "granted", (FOR_ITEMS, BROWSING))
    looks(client, visitor, "MUG")
    says(client, customer, "granted", (FOR_ITEMS, BROWSING), (FOR_CHURN, BROWSING))
    assert join(client, customer, visitor)["rows_left_behind"] == 1
    other, second = f"visitor-{uuid4().hex}", f"{uuid4().hex}@example.com"
    says(client, other, "granted", (FOR_ITEMS, BROWSING), version="from now on")
    looks(client, other, "OLD", ago=600)
    says(client, second, "granted", (FOR_ITEMS, BROWSING))
    told = join(client, second, other)
    assert (told["categories"], told["rows"], told["rows_left_behind"]) == ([BROWSING], 0, 1)


def test_a_grant_of_both_ends_as_early_as_either(client, visitor, customer):
    """The customer's grant runs out when the visitor's would have."""
    soon = clock.to_text(clock.utc_now() + timedelta(days=3))
    says(client, visitor, "granted", (FOR_ITEMS, BROWSING), valid_until=soon)
    says(client, customer, "granted", (FOR_ITEMS, BROWSING))
    join(client, customer, visitor)
    found = client.get(f"/v1/customers/{customer}/consents").json()["state"]
    (ends,) = [one["valid_until"] for one in found if one["action"] == "granted"]
    assert ends == soon


def test_who_is_no_visitor_is_refused(client, visitor, customer):
    """A visitor of whom nobody heard, another customer's, the customer, and who has orders or
    visitors of their own; nothing changes.
    """
    everything = ("purchases", "order_times", "spending")
    says(client, customer, "granted", *((FOR_ITEMS, one) for one in everything))
    join(client, customer, visitor, 404)
    says(client, visitor, "refused", (FOR_ITEMS, BROWSING))
    join(client, customer, customer, 409)
    join(client, customer, visitor)
    another = f"{uuid4().hex}@example.com"
    told = join(client, another, visitor, 409)
    assert customer not in str(told)
    assert client.get(f"/v1/customers/{another}/consents").status_code == 404
    assert "to whom visitors were joined" in join(client, another, customer, 409)["detail"]
    buyer = f"{uuid4().hex}@example.com"
    says(client, buyer, "granted", *((FOR_ITEMS, one) for one in everything))
    line = {"id": uuid4().hex, "customer_id": buyer, "order_id": "1", "product_id": "MUG"}
    line |= {"quantity": 1, "unit_price": 2.5, "ordered_at": clock.to_text(clock.utc_now())}
    sent = client.post("/v1/transactions", json={"transactions": [line]})
    assert sent.json()["accepted"] == 1, sent.text
    assert "orders of their own" in join(client, another, buyer, 409)["detail"]
    assert client.post(f"/v1/customers/{another}/visitors", json={}).status_code == 422


def test_an_erasure_takes_both(client, asked, visitor, customer):
    """Asked for under either id, nothing of the two is left, and neither is taken in again."""
    says(client, visitor, "granted", (FOR_ITEMS, BROWSING), evidence="banner 7")
    says(client, customer, "granted", (FOR_ITEMS, BROWSING))
    client.post("/v1/opt-outs", json={"customer_id": visitor, "scope": "channel", "value": "email"})
    looks(client, visitor, "MUG")
    join(client, customer, visitor)
    held = client.get(f"/v1/customers/{customer}/export").json()
    assert [one["visitor_id"] for one in held["merged_numbers"]] == [visitor]
    assert [one["value"] for one in held["opt_outs"]] == ["email"]
    assert "banner 7" in [one["evidence"] for one in held["consents"]["events"]]
    receipt = client.delete(f"/v1/customers/{visitor}").json()
    assert receipt["complete"]
    assert {one["store"]: one["found_before"] for one in receipt["stores"]}["customer id"] == 2
    for who in (visitor, customer):
        assert client.get(f"/v1/customers/{who}/consents").status_code == 404
        body = {"customer_id": who, "method": "banner", "purpose": FOR_ITEMS}
        body |= {"category": BROWSING, "action": "refused"}
        assert client.post("/v1/consents", json=body).status_code == 422
    upkeep(asked.shop)
    with asked.shop.database.read() as connection:
        left = connection.execute(arrivals.select()).all()
    assert not {one.customer for one in left} & {asked.shop.customers.find(visitor)}


def test_what_stands_beside_a_visitor_is_the_customers(client, asked, visitor, customer):
    """Kept answers, audiences, calls and the preferred channel of a visitor are in the customer's
    export and go with them; a code that the visitor waits for is none of the customer's.
    """
    says(client, visitor, "granted", (FOR_ITEMS, BROWSING))
    says(client, customer, "granted", (FOR_ITEMS, BROWSING))
    shop, moment = asked.shop, clock.to_text(clock.utc_now())
    body = {"customer_id": visitor, "scope": "channel", "value": "sms"}
    named = {"Idempotency-Key": f"of-{visitor}"}
    said = client.post("/v1/opt-outs", json=body, headers=named)
    number = shop.customers.pseudonym(visitor)
    asked.codes.ask(number, GoodFor.DATA)
    assert client.post(f"/v1/customers/{visitor}/codes").status_code == 201
    asked.codes.ask(number, GoodFor.DATA)
    rather = {"channel": "sms", "stated_in": "a file", "recorded_at": moment}
    call = Event(EventKind.REVIEW_RESOLVED, moment, {"review_id": "rev_1"}, number)
    with shop.database.write() as connection:
        connection.execute(insert(preferred_channels).values(customer=number, **rather))
        keep_members(connection, shop.vault, "dec_1", {number: {"audience": "all"}}, moment)
        Outbox.of(shop).put(connection, [(call, "whk_1")], moment)
    join(client, customer, visitor)
    again = client.post("/v1/opt-outs", json=body, headers=named)
    assert (again.content, again.headers["Idempotent-Replayed"]) == (said.content, "true")
    held = client.get(f"/v1/customers/{customer}/export").json()
    assert [one["audience"] for one in held["audiences"]] == ["all"]
    assert [one["channel"] for one in held["preferred_channels"]] == ["sms"]
    assert [one["review_id"] for one in held["calls_to_the_shop's_programs"]] == ["rev_1"]
    assert len(held["answers_kept_for_a_day"]) == 1
    assert client.get("/v1/codes/wanted").json()["wanted"] == []
    numbers = {number, shop.customers.pseudonym(customer)}
    assert client.delete(f"/v1/customers/{customer}").json()["complete"]
    with shop.database.read() as connection:
        for table in (kept_answers, audience_members, webhook_calls, preferred_channels):
            assert not numbers & set(connection.execute(select(table.c.customer)).scalars())


def test_a_visitors_links_open_nothing_of_the_customer(client, asked, visitor, customer):
    """Whoever holds a link of the visitor does not get to what the customer sees."""
    says(client, visitor, "granted", (FOR_ITEMS, BROWSING))
    address = asked.links.path(Page.PREFERENCES, str(asked.shop.customers.pseudonym(visitor)))
    assert client.get(address).status_code == 200
    join(client, customer, visitor)
    assert client.get(address).status_code in {403, 404, 410}


def test_a_visitor_is_a_person_of_their_own_until_they_join(service, pool):
    """A visitor's basket is used under the visitor's consent, and afterwards under the customer's,
    which the join made no wider.
    """
    customer, visitor = pool.one(("purchases", "order_times")), f"visitor-{uuid4().hex}"
    product = service.recommend(customer)["items"][0]["product_id"]
    service.say(visitor, FOR_ITEMS, "location", "granted")
    service.say(visitor, FOR_ITEMS, "purchases", "granted")
    before = service.recommend(visitor, basket=[product])
    assert before["personalized"]
    assert set(before["consent"]["used"]) == {"location", "purchases"}
    assert product not in [one["product_id"] for one in before["items"]]
    joining = service.http.post(f"/v1/customers/{customer}/visitors", json={"visitor_id": visitor})
    assert joining.status_code == 200, joining.text
    for who in (visitor, customer):
        after = service.recommend(who, basket=[product])
        assert set(after["consent"]["used"]) == {"purchases", "order_times"}
        assert after["customer_id"] == who
    assert service.http.get(f"/v1/decisions/{before['decision_id']}").status_code == 200
