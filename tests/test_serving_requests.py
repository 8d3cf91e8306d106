"""Every bad request gets the contract's status and a problem document that names the field, and
none breaks the service.
"""

from __future__ import annotations

import json

import httpx
import pytest

from serving.access.api_keys import SCOPES, Keys
from serving.contract.problems import KINDS
from tests.serving_shop import CATEGORIES, FOR_ITEMS, NO_TLS, sharing

pytest_plugins = ["tests.serving_fixtures"]

WHO = sharing(*CATEGORIES)[-1]
"""Somebody whom the pool does not come to: other tests count on customers of whom nothing was
changed.
"""
OK = {
    "/v1/recommendations": {"customer_id": WHO},
    "/v1/churn": {"customer_id": WHO},
    "/v1/consents": {
        "customer_id": WHO,
        "purpose": FOR_ITEMS,
        "category": "spending",
        "action": "refused",
        "method": "test",
    },
    "/v1/opt-outs": {"customer_id": WHO, "scope": "product", "value": "never-sold"},
    "/v1/events": {"events": [{"event_id": "e", "decision_id": "dec_0", "kind": "shown"}]},
}
SCOPE_OF = {
    ("POST", "/v1/recommendations"): "recommend",
    ("POST", "/v1/churn"): "score",
    ("GET", "/v1/decisions/dec_0"): "explain",
    ("POST", "/v1/events"): "ingest",
    ("POST", "/v1/consents"): "consent",
    ("GET", "/v1/notices"): "consent",
    ("GET", f"/v1/customers/{WHO}/consents"): "consent",
    ("POST", "/v1/opt-outs"): "consent",
    ("GET", f"/v1/customers/{WHO}/opt-outs"): "consent",
    ("DELETE", "/v1/opt-outs/opt_0"): "consent",
    ("GET", "/v1/models"): "explain",
    ("POST", "/v1/reviews"): "review",
    ("GET", "/v1/reviews"): "review",
    ("POST", "/v1/reviews/rev_0/resolve"): "review",
}
RULES = [
    ("/v1/recommendations", {"customer_id": 17850}, "customer_id"),
    ("/v1/recommendations", {"customer_id": None}, "customer_id"),
    ("/v1/recommendations", {"customer_id": ""}, "customer_id"),
    ("/v1/recommendations", {"customer_id": "x" * 129}, "customer_id"),
    ("/v1/recommendations", {"customer_id": "a\x00b"}, "customer_id"),
    ("/v1/recommendations", {"customer_id": "a\nb"}, "customer_id"),
    ("/v1/recommendations", {"customer_id": ["a"]}, "customer_id"),
    ("/v1/recommendations", {"customer_id": {"a": 1}}, "customer_id"),
    ("/v1/recommendations", {"customer_id": True}, "customer_id"),
    ("/v1/recommendations", {"k": 0}, "k"),
    ("/v1/recommendations", {"k": -1}, "k"),
    ("/v1/recommendations", {"k": 101}, "k"),
    ("/v1/recommendations", {"k": 1000}, "k"),
    ("/v1/recommendations", {"k": 10**30}, "k"),
    ("/v1/recommendations", {"k": "10"}, "k"),
    ("/v1/recommendations", {"k": 1.5}, "k"),
    ("/v1/recommendations", {"k": True}, "k"),
    ("/v1/recommendations", {"k": None}, "k"),
    ("/v1/recommendations", {"channel": ""}, "channel"),
    ("/v1/recommendations", {"basket": ["p"] * 201}, "basket"),
    ("/v1/recommendations", {"basket": "p01"}, "basket"),
    ("/v1/recommendations", {"basket": ["p01", 7]}, "basket.1"),
    ("/v1/recommendations", {"exclude": ["p"] * 1001}, "exclude"),
    ("/v1/recommendations", {"exclude": [None]}, "exclude.0"),
    ("/v1/recommendations", {"product_categories": ["c"] * 101}, "product_categories"),
    ("/v1/recommendations", {"product_categories": "c"}, "product_categories"),
    ("/v1/recommendations", {"language": "not a language"}, "language"),
    ("/v1/recommendations", {"explain": "all"}, "explain"),
    ("/v1/recommendations", {"explain": 1}, "explain"),
    ("/v1/recommendations", {"limit": 5}, "limit"),
    ("/v1/churn", {"customer_id": 5}, "customer_id"),
    ("/v1/churn", {"k": 5}, "k"),
    ("/v1/churn", {"language": ""}, "language"),
    ("/v1/consents", {"action": "allowed"}, "action"),
    ("/v1/consents", {"purpose": "advertising"}, "purpose"),
    ("/v1/consents", {"category": "health"}, "category"),
    ("/v1/consents", {"action": "granted"}, "notice_version"),
    ("/v1/consents", {"action": "granted", "notice_version": "99"}, "notice_version"),
    ("/v1/consents", {"method": ""}, "method"),
    ("/v1/consents", {"method": "preference_page"}, "method"),
    ("/v1/consents", {"customer_id": "NaN"}, "customer_id"),
    ("/v1/opt-outs", {"customer_id": "null"}, "customer_id"),
    ("/v1/churn", {"customer_id": " "}, "customer_id"),
    ("/v1/recommendations", {"customer_id": "None"}, "customer_id"),
    ("/v1/consents", {"occurred_at": "yesterday"}, "occurred_at"),
    ("/v1/consents", {"occurred_at": "2024-01-01T00:00:00"}, "occurred_at"),
    ("/v1/consents", {"idempotency_key": ""}, "idempotency_key"),
    ("/v1/consents", {"actor": "the shop"}, "actor"),
    ("/v1/events", {"events": []}, "events"),
    ("/v1/events", {"events": [{}] * 1_001}, "events"),
    ("/v1/events", {"events": {}}, "events"),
    ("/v1/events", {"customer_id": "a"}, "customer_id"),
    ("/v1/opt-outs", {"scope": "everything"}, "scope"),
    ("/v1/opt-outs", {"value": 7}, "value"),
    ("/v1/opt-outs", {"scope": "purpose", "value": "advertising"}, "value"),
    ("/v1/opt-outs", {"until": "2024-13-01T00:00:00Z"}, "until"),
    ("/v1/opt-outs", {"id": "mine"}, "id"),
]
HOSTILE = {
    "empty": b"",
    "not JSON": b"{customer_id: 1}",
    "cut off": b'{"customer_id": "a',
    "two documents": b'{"customer_id":"a"}{}',
    "a list": b"[]",
    "a text": b'"x"',
    "null": b"null",
    "a number": b"1",
    "NaN": b'{"customer_id": "a", "k": NaN}',
    "Infinity": b'{"customer_id": "a", "k": -Infinity}',
    "a huge exponent": b'{"customer_id": "a", "k": 1e999}',
    "a huge integer": b'{"customer_id": "a", "k": ' + b"9" * 50_000 + b"}",
    "deep lists": b"[" * 100_000 + b"]" * 100_000,
    "deep objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "Latin-1": b'{"customer_id": "M\xfcller"}',
    "UTF-16 without a mark": '{"customer_id": "a", "k": 0}'.encode("utf-16-le"),
    "bytes": bytes(range(256)),
    "a lone surrogate": b'{"customer_id": "\\ud800"}',
    "a lone surrogate as a field": b'{"customer_id": "a", "\\ud800": 1}',
    "a lone surrogate in a list": b'{"customer_id": "a", "basket": ["\\udfff"]}',
    "a field twice": b'{"customer_id": "a", "customer_id": 1}',
    "a null byte as a field": b'{"customer_id": "a", "\\u0000": 1}',
    "a field of a long name": b'{"customer_id": "a", "' + b"n" * 100_000 + b'": 1}',
}


def is_problem(response: httpx.Response, status: int) -> dict:
    """The problem document of a response, which has to be one."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"].startswith("application/problem+json")
    document: dict = response.json()
    assert set(document) == {"type", "title", "status", "detail", "errors"}
    assert document["status"] == status
    kind = next(kind for kind in KINDS if kind.uri == document["type"])
    assert (kind.status, kind.title) == (status, document["title"])
    assert document["title"] and document["detail"]  # noqa: PT018 - both say something
    assert all(set(error) == {"field", "detail"} for error in document["errors"])
    return document


@pytest.mark.parametrize("path", OK)
def test_a_right_request_is_answered(service, path):
    """The requests that the tests below spoil one at a time are right themselves."""
    assert service.http.post(path, json=OK[path]).status_code in {200, 201, 202}


@pytest.mark.parametrize(
    ("path", "fault", "field"),
    RULES,
    ids=lambda part: json.dumps(part)[:40] if isinstance(part, dict) else None,
)
def test_a_broken_rule_is_named_with_its_field(service, path, fault, field):
    """A well-formed request that breaks a rule gets 422, and its document names the field."""
    document = is_problem(service.http.post(path, json=OK[path] | fault), 422)
    assert field in [error["field"] for error in document["errors"]]
    assert field in document["detail"] or field in {
        "purpose",
        "category",
        "action",
        "notice_version",
        "idempotency_key",
    }


@pytest.mark.parametrize("path", OK)
def test_a_missing_field_is_named(service, path):
    """Leaving a required field out gets 422 with its name, for every one of them; so does an empty
    object.
    """
    for field in OK[path]:
        left = {name: value for name, value in OK[path].items() if name != field}
        named = [
            error["field"]
            for error in is_problem(service.http.post(path, json=left), 422)["errors"]
        ]
        assert field in named or (path == "/v1/opt-outs" and field == "value")
    assert next(iter(OK[path])) in [
        error["field"] for error in is_problem(service.http.post(path, json={}), 422)["errors"]
    ]


@pytest.mark.parametrize("scope", ["all", "product"])
def test_a_value_that_does_not_fit_the_scope_is_named(service, scope):
    """An opt-out from everything has no value and every other one needs one; the document names
    `value`.
    """
    body = {"customer_id": WHO, "scope": scope, **({"value": "p01"} if scope == "all" else {})}
    document = is_problem(service.http.post("/v1/opt-outs", json=body), 422)
    assert "value" in [error["field"] for error in document["errors"]]


@pytest.mark.parametrize("path", OK)
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_bodies_never_break_the_service(service, path, name):
    """Whatever the bytes of a body are, the answer is a problem document of the 400s."""
    response = service.http.post(
        path, content=HOSTILE[name], headers={"Content-Type": "application/json"}
    )
    is_problem(response, response.status_code)
    assert response.status_code in {400, 422}


@pytest.mark.parametrize("path", OK)
@pytest.mark.parametrize(
    "name",
    ["not JSON", "cut off", "two documents", "deep lists", "Latin-1", "a huge integer", "bytes"],
)
def test_malformed_json_is_told_as_such(service, path, name):
    """A body that is no JSON gets 400."""
    is_problem(
        service.http.post(
            path, content=HOSTILE[name], headers={"Content-Type": "application/json"}
        ),
        400,
    )


@pytest.mark.parametrize(
    "kind",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "application/xml",
        "",
    ],
)
def test_a_body_of_another_kind_is_no_fault_of_the_service(service, kind):
    """A body under a wrong content type is answered or refused, never a 5xx."""
    response = service.http.post(
        "/v1/churn", content=json.dumps(OK["/v1/churn"]), headers={"Content-Type": kind}
    )
    assert response.status_code in {200, 400, 415, 422}


@pytest.mark.parametrize(("method", "path"), SCOPE_OF)
def test_without_a_key_nothing_is_told(service, method, path):
    """No key, another scheme, an empty key and an unknown one get 401 with how to ask, whatever the
    body is.
    """
    for headers in (
        {},
        {"Authorization": "Basic Og=="},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer sayso_x"},
        {"Authorization": "\xff"},
    ):
        response = httpx.request(
            method,
            service.url + path,
            content=b"{",
            headers=[(n, v.encode("latin-1")) for n, v in headers.items()],
            verify=NO_TLS,
        )
        is_problem(response, 401)
        assert response.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize(("method", "path"), SCOPE_OF)
def test_a_key_without_the_scope_is_refused(service, served, method, path):
    """A key with every scope but the one needed gets 403, and one with that scope alone gets
    further.
    """
    keys, needed = Keys(served.database), SCOPE_OF[method, path]
    for scopes, refused in (
        ([scope for scope in SCOPES if scope != needed], True),
        ([needed], False),
    ):
        headers = {"Authorization": f"Bearer {keys.create(scopes)[1]}"}
        response = httpx.request(
            method,
            service.url + path,
            content=None if method != "POST" else b"{",
            headers=headers,
            verify=NO_TLS,
        )
        if refused:
            assert needed in is_problem(response, 403)["detail"]
        else:
            assert response.status_code not in {401, 403}


def test_a_revoked_key_opens_nothing(service, served):
    """A key is good until it is revoked, and not for one request more."""
    keys = Keys(served.database)
    key, secret = keys.create(["all"])
    ask = {"headers": {"Authorization": f"Bearer {secret}"}}
    assert httpx.get(f"{service.url}/v1/notices", **ask).status_code == 200
    keys.revoke(key.id)
    is_problem(httpx.get(f"{service.url}/v1/notices", **ask), 401)


@pytest.mark.parametrize("path", [*OK, "/preferences/x", "/nowhere"])
@pytest.mark.parametrize("announced", [True, False])
def test_a_large_body_is_refused(service, path, announced):
    """A body of more than a megabyte gets 413 on every route, whether or not its length was
    announced.
    """
    body = b'{"customer_id": "' + b"x" * 1_000_001 + b'"}'
    is_problem(
        service.http.post(
            path, content=body if announced else iter([body[:600_000], body[600_000:]])
        ),
        413,
    )


@pytest.mark.parametrize(
    ("missing", "path"),
    [
        ("decision", "/v1/decisions/dec_01J00000000000000000000000"),
        ("decision", "/v1/decisions/dec_01J00000000000000000000000?replay=true"),
        ("decision", "/v1/decisions/%00"),
        ("decision", "/v1/decisions/" + "x" * 2_000),
        ("customer", "/v1/customers/nobody/consents"),
        ("customer", "/v1/customers/%00/consents"),
        ("customer", "/v1/customers/%F0%9F%98%80/opt-outs"),
        ("customer", "/v1/customers/%ed%a0%80/consents"),
        ("address", "/v1/nothing"),
        ("address", "/v1"),
        ("address", "/etc/passwd"),
        ("address", "/..%2f..%2fetc/passwd"),
    ],
)
def test_what_is_not_there_is_a_404(service, missing, path):
    """An unknown decision, customer or address gets 404, in words that do not depend on which one
    was asked for.
    """
    detail = is_problem(service.http.get(path), 404)["detail"]
    assert detail == {
        "decision": "There is no such decision.",
        "customer": "There is no such customer.",
    }.get(missing, detail)


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_a_wrong_method_is_refused(service, method):
    """A route that is called by another method than its own gets 404 or 405 as a problem
    document.
    """
    response = service.http.request(method, "/v1/churn")
    is_problem(response, response.status_code)
    assert response.status_code in {404, 405}


def test_replay_takes_a_truth_value(service):
    """`replay` that is neither true nor false is refused by its name."""
    document = is_problem(
        service.http.get("/v1/decisions/dec_0", params={"replay": "perhaps"}), 422
    )
    assert [error["field"] for error in document["errors"]] == ["replay"]


def test_a_refusal_repeats_nothing_of_the_request(service):
    """No problem document carries the value that was sent, which may be somebody's data."""
    for body in (
        {"customer_id": "secret-value\x00"},
        {"customer_id": WHO, "language": "secret value"},
        {"customer_id": WHO, "k": "secret-value"},
    ):
        assert "secret" not in service.http.post("/v1/recommendations", json=body).text


def test_the_service_still_answers_after_all_that(service):
    """After every refusal the service answers as before."""
    assert service.recommend(WHO)["personalized"]
    assert httpx.get(f"{service.url}/readyz").status_code == 200
