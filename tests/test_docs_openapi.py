"""The OpenAPI document says what the service really does, and the contract's fields are all
there.
"""

from __future__ import annotations

from importlib.metadata import version

import httpx
import pytest
from pydantic import BaseModel, TypeAdapter

from features.clock import to_text
from serving.access.api_keys import SCOPES
from serving.contract import responses as answers
from serving.contract.answers import Churn, Recommendation
from serving.decisions.document import plain
from tests.serving_shop import CATEGORIES, Client, everything_in

pytest_plugins = ["tests.serving_fixtures"]

ROUTES = {
    ("post", "/v1/recommendations"): "recommend",
    ("post", "/v1/churn"): "score",
    ("post", "/v1/recommendations/batch"): "recommend",
    ("post", "/v1/churn/batch"): "score",
    ("get", "/v1/decisions/{id}"): "explain",
    ("post", "/v1/events"): "ingest",
    ("post", "/v1/consents"): "consent",
    ("post", "/v1/consents/{source}"): "consent",
    ("post", "/v1/customers/{id}/visitors"): "consent",
    ("get", "/v1/notices"): "consent",
    ("get", "/v1/customers/{id}/consents"): "consent",
    ("post", "/v1/opt-outs"): "consent",
    ("get", "/v1/customers/{id}/opt-outs"): "consent",
    ("delete", "/v1/opt-outs/{id}"): "consent",
    ("get", "/v1/models"): "explain",
    ("get", "/v1/customers/{id}/export"): "privacy",
    ("delete", "/v1/customers/{id}"): "privacy",
    ("post", "/v1/customers/{id}/corrections"): "correct",
    ("post", "/v1/customers/{id}/codes"): "privacy",
    ("get", "/v1/codes/wanted"): "privacy",
    ("post", "/v1/links/revocations"): "privacy",
    ("post", "/v1/transactions"): "ingest",
    ("post", "/v1/products"): "ingest",
    ("post", "/v1/interactions"): "ingest",
    ("get", "/v1/lists"): "recommend",
    ("get", "/v1/lists/{name}"): "recommend",
    ("put", "/v1/lists/{name}"): "ingest",
    ("delete", "/v1/lists/{name}"): "ingest",
    ("get", "/v1/audiences/{name}"): "audience",
    ("post", "/v1/webhooks"): "admin",
    ("get", "/v1/webhooks"): "admin",
    ("get", "/v1/webhooks/failed"): "admin",
    ("delete", "/v1/webhooks/{id}"): "admin",
    ("post", "/v1/reviews"): "review",
    ("get", "/v1/reviews"): "review",
    ("post", "/v1/reviews/{id}/resolve"): "review",
}
SIGNED = {("post", f"/v1/transactions/{system}") for system in ("shopify", "woocommerce")}
"""Let in by the signature of a shop system in place of a key."""
PAGES = {
    *(("get", "/why/{token}"), ("get", "/why/{token}/panel"), ("post", "/why/{token}/review")),
    *(("get", "/preferences/{token}"), ("post", "/preferences/{token}")),
    *(("post", "/why/{token}"), ("get", "/data/{token}")),
    *(("get", "/erasure/{token}"), ("post", "/erasure/{token}")),
    *(("get", "/e/{token}"), ("get", "/e/{token}.gif")),
}
OF_RECOMMENDATION = {
    *(
        "decision_id",
        "customer_id",
        "generated_at",
        "data_until",
        "personalized",
        "not_personalized_because",
        "automated",
        "disclosure",
        "model",
    ),
    *("consent", "items", "why_url", "preferences_url", "event_url"),
}
OF_ITEM = {"rank", "product_id", "title", "score", "explored", "propensity", "explanation"}
OF_CHURN = {
    *(
        "decision_id",
        "customer_id",
        "data_until",
        "available",
        "unavailable_because",
        "automated",
        "probability",
        "horizon_days",
        "band",
        "model",
    ),
    *("consent", "explanation", "suggested_actions", "human_contact", "why_url"),
}


@pytest.fixture(scope="module")
def document(service) -> dict:
    """The OpenAPI document as the service gives it, without a key."""
    found: dict = httpx.get(f"{service.url}/docs.json").raise_for_status().json()
    return found


def operations(document: dict) -> dict[tuple[str, str], dict]:
    """The document's operations by method and path."""
    return {
        (method, path): operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def test_the_document_has_exactly_the_routes_of_the_service(document):
    """Every route of this stage is described and none besides."""
    assert set(operations(document)) == {*ROUTES, *SIGNED, *PAGES}


def test_every_route_but_the_pages_states_its_scope(document):
    """Each `/v1` route names a scope that keys can have and asks for a key; a signed link and a
    signed body need none.
    """
    for route, operation in operations(document).items():
        if route in PAGES | SIGNED:
            assert "security" not in operation
        else:
            assert operation["x-scope"] == ROUTES[route]
            assert operation["x-scope"] in SCOPES
            assert operation["security"]


def test_the_security_scheme_is_described(document):
    """The key that operations ask for is declared among the document's security schemes."""
    declared = document.get("components", {}).get("securitySchemes", {})
    asked = {
        name
        for operation in operations(document).values()
        for part in operation.get("security", [])
        for name in part
    }
    assert asked
    assert asked <= set(declared)


def test_every_reference_of_the_document_leads_somewhere(document):
    """Each `$ref` names a part of the document that is there."""

    def references(part: object) -> list[str]:
        if isinstance(part, dict):
            return [v for k, v in part.items() if k == "$ref"] + [
                r for v in part.values() for r in references(v)
            ]
        return [r for v in part for r in references(v)] if isinstance(part, list) else []

    for reference in set(references(document)):
        at = document
        for name in reference.removeprefix("#/").split("/"):
            assert name in at, reference
            at = at[name]


def test_every_operation_says_what_it_does_and_how_it_refuses(document):
    """Each `/v1` operation has a description, and 401, 403 and 422 as problem documents."""
    for route in ROUTES:
        operation = operations(document)[route]
        assert operation["description"]
        for status in ("401", "403", "422"):
            assert "application/problem+json" in operation["responses"][status]["content"]


def test_every_post_says_that_it_may_be_named(document):
    """Each `POST` under `/v1` that takes a key has the header `Idempotency-Key`, once, and nothing
    else has it.
    """
    for (method, path), operation in operations(document).items():
        stated = [one["name"] for one in operation.get("parameters", ())]
        named = (method, path) in ROUTES and method == "post"
        assert stated.count("Idempotency-Key") == named, (method, path)


def test_every_refusal_is_the_one_problem(document):
    """Each status of a `/v1` route that is no success refers to the schema `Problem`, and those
    after which one may ask again state `Retry-After`.
    """
    for route in ROUTES.keys() | SIGNED:
        responses = operations(document)[route]["responses"]
        refusals = {status: said for status, said in responses.items() if status >= "400"}
        assert {"401", "404", "409", "413", "415", "422", "429", "500", "503"} & set(refusals)
        for status, said in refusals.items():
            schema = said["content"]["application/problem+json"]["schema"]
            assert schema == {"$ref": "#/components/schemas/Problem"}
            assert ("Retry-After" in said.get("headers", {})) == (status in {"429", "503"})
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_the_document_says_where_the_service_is_and_which_version(document, service):
    """It names the address under which customers reach the service, and Sayso's version."""
    assert [server["url"] for server in document["servers"]] == [service.url]
    assert document["info"]["version"] == version("sayso")


def test_operations_are_called_as_their_functions(document):
    """Each operation has a short name of its own."""
    names = [operation["operationId"] for operation in operations(document).values()]
    assert len(set(names)) == len(names)
    assert all(name.isidentifier() and "_v1_" not in name for name in names)


def fits(kind: type, answer: dict) -> None:
    """Fails unless the class has every field of the answer, at any depth and in its order, and the
    answer every field that the class requires.
    """
    read = TypeAdapter(kind).validate_python(answer)
    if isinstance(read, BaseModel):
        assert read.model_dump(exclude_unset=True) == answer
    else:
        assert plain(read) == answer
        assert [*everything_in(plain(read))] == [*everything_in(answer)]  # in its order


def _of(service: Client, path: str, **params: str) -> dict:
    return service.answer(service.http.get(path, params=params))


@pytest.mark.parametrize("categories", [CATEGORIES, ()], ids=["everything", "nothing"])
@pytest.mark.parametrize("explain", ["full", "reasons", "none"])
def test_real_recommendations_fit_their_schema(service, pool, categories, explain):
    """A recommendation has the documented fields and no others."""
    fits(Recommendation, service.recommend(pool.one(categories), explain=explain))


@pytest.mark.parametrize("categories", [CATEGORIES, ()], ids=["everything", "nothing"])
def test_real_churn_answers_fit_their_schema(service, pool, categories):
    """A churn answer has the documented fields and no others, with an estimate and without."""
    fits(Churn, service.churn(pool.one(categories)))


def test_other_real_answers_fit_their_schemas(service, pool):
    """Receipts, consents, notices, opt-outs and models have the documented fields and no others."""
    customer = pool.one()
    fits(answers.ConsentReceipt, service.say(customer, "recommendations", "location", "refused"))
    fits(answers.Consents, _of(service, f"/v1/customers/{customer}/consents"))
    fits(answers.Notices, _of(service, "/v1/notices"))
    fits(answers.OptOutAnswer, service.opt_out(customer, "brand", "brand 1"))
    fits(answers.OptOutList, _of(service, f"/v1/customers/{customer}/opt-outs"))
    fits(answers.ModelList, _of(service, "/v1/models"))


def test_a_recommendation_has_the_fields_of_the_contract(service, served, pool):
    """Every name of the contract stands in a full answer."""
    answer = service.recommend(pool.one())
    assert set(answer) >= OF_RECOMMENDATION
    assert set(answer["consent"]) == {"ledger_seq", "used", "withheld"}
    assert set(answer["model"]) == {"name", "version"}
    assert set(answer["items"][0]) >= OF_ITEM
    why = answer["items"][0]["explanation"]
    assert set(why) >= {"base_value", "output_value", "contributions", "reasons"}
    assert set(why["contributions"][0]) >= {"feature", "category", "value", "contribution"}
    assert set(why["reasons"][0]) >= {"category", "text"}
    assert answer["automated"] is True
    assert answer["generated_at"].endswith("Z")
    assert answer["data_until"] == to_text(served.loaded_until())


def test_a_churn_answer_has_the_fields_of_the_contract(service, pool):
    """Every name of the contract stands in an available estimate."""
    answer = service.churn(pool.one())
    assert set(answer) >= OF_CHURN
    why = answer["explanation"]
    assert set(why) >= {
        "unit",
        "base_value",
        "output_value",
        "contributions",
        "categories",
        "reasons",
    }
    assert (why["unit"], why["categories"]["unit"]) == ("log_odds", "probability")
    assert set(why["categories"]["contributions"][0]) >= {"category", "contribution", "without"}
    assert set(answer["suggested_actions"][0]) >= {"action", "text"}
    assert answer["band"] in {"low", "medium", "high"}


def test_the_champions_are_listed_with_their_figures(service):
    """`GET /v1/models` names version, owner, moment, ledger position, metrics and gates of both
    champions.
    """
    champions = {
        m["name"]: m for m in _of(service, "/v1/models")["models"] if m["role"] == "champion"
    }
    assert set(champions) == {"churn", "next_purchase"}
    for model in champions.values():
        assert {"version", "owner", "trained_at", "ledger_seq", "metrics", "gates"} <= set(model)
        assert model["ledger_seq"] > 0
        assert model["metrics"] and model["gates"] and model["owner"]  # noqa: PT018 - nothing of it is empty
