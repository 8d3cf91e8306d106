"""The routes of a customer's rights: who may call them, what they refuse, and that what was
corrected is answered from.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from features.shop.shop import Shop
from serving.access.api_keys import SCOPES, Keys
from serving.contract import responses as answers
from tests.serving_shop import CANARY, FOR_CHURN, FOR_ITEMS, Client, Pool
from tests.synthetic_shop import ABROAD, HOME
from tests.test_docs_openapi import fits
from tests.test_serving_requests import is_problem

pytest_plugins = ["tests.serving_fixtures"]

STRANGER = CANARY + "never-seen"
ROUTES = (
    ("GET", "/v1/customers/{id}/export"),
    ("DELETE", "/v1/customers/{id}"),
    ("POST", "/v1/customers/{id}/corrections"),
)
SCOPE_OF = {"GET": "privacy", "DELETE": "privacy", "POST": "correct"}
COUNTRY = {"field": "customers.country", "value": ABROAD}


def call(client: Client, route: tuple[str, str], customer: str, **others: Any) -> httpx.Response:
    """One of the routes, asked for one customer."""
    method, path = route
    body = {"json": COUNTRY} if method == "POST" else {}
    return client.http.request(method, path.format(id=customer), **body, **others)


def export(client: Client, customer: str) -> dict[str, Any]:
    """A customer's export."""
    return client.answer(client.http.get(f"/v1/customers/{customer}/export"))


def correct(client: Client, customer: str, **correction: str) -> httpx.Response:
    """A correction."""
    return client.http.post(f"/v1/customers/{customer}/corrections", json=correction)


@pytest.fixture
def without_scope(served: Shop, service: Client) -> dict[str, str]:
    """Headers with a key for everything but privacy and corrections."""
    scopes = [scope for scope in SCOPES if scope not in {"privacy", "correct"}]
    _, secret = Keys(served.database).create(scopes)
    assert service.key != secret
    return {"Authorization": f"Bearer {secret}"}


@pytest.fixture(scope="module")
def uncorrected(pool: Pool) -> str:
    """A customer whom no correction should change."""
    return pool.one()


@pytest.mark.parametrize("route", ROUTES, ids=" ".join)
def test_rights_need_their_scope(service, pool, without_scope, route):
    """A key for everything else gets 403, and no key 401, whether or not there is such a customer;
    nothing happens.
    """
    customer = pool.one(())
    for who in (customer, STRANGER):
        refused = is_problem(call(service, route, who, headers=without_scope), 403)
        assert SCOPE_OF[route[0]] in refused["detail"]
        is_problem(call(service, route, who, headers={"Authorization": ""}), 401)
    assert export(service, customer)["warehouse"]["transactions"]


@pytest.mark.parametrize("route", ROUTES, ids=" ".join)
def test_an_unknown_customer_is_a_404_in_the_same_words(service, route):
    """Each route answers alike for ids that the shop never told of, however they look."""
    told = [
        is_problem(call(service, route, who), 404)
        for who in (STRANGER, "17850", "a b", "%C3%A9", "dec_0")
    ]
    assert all(document == told[0] for document in told)
    assert STRANGER not in json.dumps(told[0])


def test_an_export_is_everything_and_kept_by_no_cache(service, pool):
    """It is one JSON document of the customer alone, which no cache may keep."""
    customer = pool.one()
    items = service.recommend(customer, basket=["p03"])
    opted = service.opt_out(customer, "brand", "brand 3")
    response = service.http.get(f"/v1/customers/{customer}/export")
    document = service.answer(response)
    assert response.headers["content-type"].startswith("application/json")
    assert response.headers["cache-control"] == "no-store"
    assert document["customer_id"] == customer
    assert document["about"] and document["fields"]  # noqa: PT018 - both say something
    decided = {decision["answer"]["decision_id"]: decision for decision in document["decisions"]}
    assert decided[items["decision_id"]]["made_from"]["asked"] == {
        "basket": ["p03"],
        "channel": "web",
        "exclude": [],
        "product_categories": None,
        "not_bought_within": None,
        "only_new": None,
    }
    assert opted["id"] in {opt_out["id"] for opt_out in document["opt_outs"]}
    assert document["training_sets"]
    assert document["consent_receipt"]["pii_principal_id"] == customer
    assert response.text.count(CANARY) == response.text.count(customer)


def test_erasure_answers_with_a_receipt_and_the_customer_is_gone(service, pool):
    """The receipt shows everything at nothing; afterwards every route says what it says of somebody
    never heard of.
    """
    customer = pool.one()
    decision = service.recommend(customer)["decision_id"]
    assert service.churn(customer)["available"]
    receipt = service.answer(service.http.delete(f"/v1/customers/{customer}"))
    fits(answers.ErasureReceipt, receipt)
    found = {
        store["store"]: (store["found_before"], store["found_after"]) for store in receipt["stores"]
    }
    assert all(after == 0 for _, after in found.values())
    for store in (
        "warehouse",
        "online features",
        "decisions",
        "training sets",
        "payload keys",
        "customer id",
    ):
        assert found[store][0] > 0, store
    for route in ROUTES:
        assert is_problem(call(service, route, customer), 404) == is_problem(
            call(service, route, STRANGER), 404
        )
    assert service.recommend(customer)["not_personalized_because"] == "unknown_customer"
    assert service.churn(customer)["unavailable_because"] == "unknown_customer"
    is_problem(service.http.get(f"/v1/decisions/{decision}"), 409)
    again = {
        "customer_id": customer,
        "purpose": FOR_ITEMS,
        "category": "spending",
        "action": "refused",
        "method": "test",
    }
    refused = is_problem(service.http.post("/v1/consents", json=again), 422)
    assert [error["field"] for error in refused["errors"]] == ["customer_id"]
    is_problem(service.http.get(f"/v1/customers/{customer}/consents"), 404)


@pytest.mark.parametrize(
    "customer", [f"{CANARY}DE/0001", f"{CANARY}/consents", f"{CANARY}a%2Fb c/"]
)
def test_rights_hold_whatever_an_id_is_made_of(service, customer):
    """An id with slashes, which the shop's numbers may have, is found at every address of its
    rights when it is quoted.
    """
    grant = {
        "customer_id": customer,
        "purpose": "recommendations",
        "category": "purchases",
        "action": "refused",
        "method": "form",
    }
    assert service.http.post("/v1/consents", json=grant).is_success
    address = f"/v1/customers/{quote(customer, safe='')}"
    assert service.answer(service.http.get(f"{address}/consents"))["customer_id"] == customer
    assert service.answer(service.http.get(f"{address}/opt-outs"))["opt_outs"] == []
    assert service.answer(service.http.get(f"{address}/export"))["customer_id"] == customer
    assert service.answer(service.http.delete(address))["complete"] is True
    assert service.http.get(f"{address}/export").status_code == 404


def test_links_of_an_erased_customer_are_closed(service, pool):
    """A page that was open before an erasure shows and changes nothing after it, in the words for a
    link that does not work.
    """
    customer = pool.one()
    answer = service.recommend(customer)
    service.answer(service.http.delete(f"/v1/customers/{customer}"))
    switch = {"purpose": FOR_ITEMS, "category": "purchases", "action": "granted"}
    shown = [
        service.page(answer["why_url"]),
        service.page(answer["preferences_url"]),
        service.press(answer["preferences_url"], **switch),
    ]
    assert [page.status_code for page in shown] == [404, 404, 404]
    assert not [page for page in shown if customer in page.text]
    is_problem(service.http.get(f"/v1/customers/{customer}/export"), 404)


@pytest.mark.parametrize(
    ("correction", "field"),
    [
        ({"field": "customers.shoe_size", "value": "44"}, "field"),
        ({"field": "products.title", "value": "Mug"}, "field"),
        ({"field": "customers.customer", "value": "7"}, "field"),
        ({"field": "transactions.recorded_at", "value": "2024-01-01"}, "field"),
        ({"field": "country", "value": ABROAD}, "field"),
        ({"field": "", "value": ABROAD}, "field"),
        ({"field": "customers.country", "value": ""}, "value"),
        ({"field": "customers.country"}, "value"),
        ({"field": "customers.country", "value": 7}, "value"),
        ({"field": "customers.country", "value": ABROAD, "order_id": "o1"}, "order_id"),
        ({"field": "customers.country", "value": ABROAD, "product_id": "p01"}, "product_id"),
        ({"field": "customers.country", "value": ABROAD, "note": "please"}, "note"),
        ({"field": "transactions.quantity", "value": "many"}, "value"),
        ({"field": "transactions.quantity", "value": "1.5"}, "value"),
        ({"field": "transactions.quantity", "value": "9" * 30}, "value"),
        ({"field": "transactions.quantity", "value": "-3"}, "value"),
        ({"field": "transactions.unit_price", "value": "dear"}, "value"),
        ({"field": "transactions.unit_price", "value": "nan"}, "value"),
        ({"field": "transactions.unit_price", "value": "inf"}, "value"),
        ({"field": "transactions.ordered_at", "value": "yesterday"}, "value"),
        ({"field": "transactions.ordered_at", "value": "2199-01-01 00:00:00"}, "value"),
    ],
    ids=str,
)
def test_a_bad_correction_is_refused_and_names_its_field(service, uncorrected, correction, field):
    """A field that is not the customer's, or a value that it cannot have, is 422 for that part;
    nothing is changed or kept.
    """
    before = export(service, uncorrected)
    refused = is_problem(
        service.http.post(f"/v1/customers/{uncorrected}/corrections", json=correction), 422
    )
    assert field in [error["field"] for error in refused["errors"]]
    after = export(service, uncorrected)
    assert (after["warehouse"], after["corrections"]) == (
        before["warehouse"],
        before["corrections"],
    )


def test_a_correction_of_an_order_that_is_not_theirs_is_refused(service, pool, lines):
    """Another customer's order cannot be corrected through one's own id, and stays as it is."""
    customer, other = pool.take(2)
    order = lines.loc[lines["customer_id"] == other, "order_id"].iloc[0]
    before = export(service, other)["warehouse"]
    is_problem(
        correct(service, customer, field="transactions.quantity", value="3", order_id=order), 422
    )
    assert export(service, other)["warehouse"] == before


def test_a_corrected_country_reaches_the_next_answer(service, pool, lines):
    """Features, the record of the next decision and its reasons are made from the right country at
    once.
    """
    at_home = set(lines.loc[lines["country"] == HOME, "customer_id"]) - set(
        lines.loc[lines["country"] == ABROAD, "customer_id"]
    )
    customer = next(who for who in pool.take(8) if who in at_home)
    service.churn(customer)
    assert (
        export(service, customer)["online_features"][FOR_CHURN]["features"]["home_country"] == 1.0
    )
    done = service.answer(correct(service, customer, **COUNTRY), 201)
    fits(answers.Corrected, done)
    assert done == {"customer_id": customer, "field": "customers.country", "rows": 1}
    answer = service.churn(customer)
    held = export(service, customer)
    assert held["online_features"][FOR_CHURN]["features"]["home_country"] == 0.0
    assert {row["country"] for row in held["warehouse"]["customers"]} == {ABROAD}
    (decision,) = [
        one for one in held["decisions"] if one["answer"]["decision_id"] == answer["decision_id"]
    ]
    assert decision["made_from"]["customer"]["home_country"] == 0.0
    contributions = {
        part["feature"]: part["value"] for part in answer["explanation"]["contributions"]
    }
    assert contributions.get("home_country", 0.0) == 0.0
    assert (held["corrections"][0]["field"], held["corrections"][0]["value"]) == (
        "customers.country",
        ABROAD,
    )


def test_a_corrected_order_line_reaches_the_next_answer(service, pool, lines):
    """A quantity is corrected in the one line that is meant, and the next estimate counts it."""
    customer = pool.one()
    mine = lines[lines["customer_id"] == customer]
    line = mine.iloc[-1]
    service.churn(customer)
    items = export(service, customer)["online_features"][FOR_CHURN]["features"]["items"]
    right = str(int(line["quantity"]) + 100)
    said = correct(
        service,
        customer,
        field="transactions.quantity",
        value=right,
        order_id=line["order_id"],
        product_id=line["product_id"],
    )
    assert service.answer(said, 201)["rows"] == 1
    service.churn(customer)
    assert (
        export(service, customer)["online_features"][FOR_CHURN]["features"]["items"] == items + 100
    )


def test_the_routes_are_documented(service):
    """OpenAPI names each route with its scope, what it needs and what it answers."""
    paths = httpx.get(f"{service.url}/docs.json").raise_for_status().json()["paths"]
    for method, path in ROUTES:
        operation = paths[path][method.lower()]
        assert operation["x-scope"] == SCOPE_OF[method]
        assert operation["description"]
        named = ["id", "Idempotency-Key"] if method == "POST" else ["id"]
        assert [parameter["name"] for parameter in operation["parameters"]] == named
        assert {"401", "403", "404", "422"} <= set(operation["responses"])
        success = operation["responses"]["201" if method == "POST" else "200"]
        assert success["content"]["application/json"]["schema"]
