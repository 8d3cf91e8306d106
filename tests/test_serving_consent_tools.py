"""What consent tools tell over HTTP: each state means what sayso.toml says, a missing one is no
grant, and the receipt is kept sealed.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi.testclient import TestClient

from features import clock
from tests.tc_strings import MONDAY, OURS, core, disclosed, encoded, publisher, tc_string

pytest_plugins = ["tests.consent_tools_fixtures"]
SECRET = "a secret of the tests"  # noqa: S105 - nobody else has it
LOOKED_AT = ("recommendations", "browsing")


@pytest.fixture
def customer() -> str:
    """Somebody of whom nothing was told."""
    return f"v-{uuid4().hex}"


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """The secret of the tools that sign."""
    monkeypatch.setenv("SAYSO_TEST_TOOL_SECRET", SECRET)


def tell(client: TestClient, source: str, **body: Any) -> dict[str, Any]:
    """What a message came to."""
    answer = client.post(f"/v1/consents/{source}", json=body)
    assert answer.status_code in {200, 201}, answer.text
    told: dict[str, Any] = answer.json()
    assert (answer.status_code == 201) == bool(told["recorded"])
    return told


def fault(answer: httpx.Response, status: int = 422) -> tuple[str, str]:
    """The field that a refusal names, and its sentence."""
    assert answer.status_code == status, answer.text
    (error,) = answer.json()["errors"]
    return error["field"], error["detail"]


def said(told: dict[str, Any]) -> dict[tuple[str, str], str]:
    """The actions that took effect."""
    return {
        (one["purpose"], one["category"]): one["action"]
        for one in told["recorded"]
        if one["takes_effect"] and not one["repeated"]
    }


def state(client: TestClient, customer: str) -> dict[tuple[str, str], str]:
    """Where a customer stands, of what was said."""
    found = client.get(f"/v1/customers/{customer}/consents").json()["state"]
    return {
        (one["purpose"], one["category"]): one["action"]
        for one in found
        if one["action"] != "unknown"
    }


def history(client: TestClient, customer: str) -> list[dict[str, Any]]:
    """Every event of a customer, with its evidence."""
    events: list[dict[str, Any]] = client.get(f"/v1/customers/{customer}/export").json()[
        "consents"
    ]["events"]
    return events


def signed(client: TestClient, source: str, body: Any, **headers: str) -> httpx.Response:
    """A message with a signature in place of a key."""
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    usual = {"X-Signature": hmac.new(SECRET.encode(), sent, hashlib.sha256).hexdigest()}
    bare = {"Authorization": "", "Content-Type": "application/json"}
    answer: httpx.Response = client.post(
        f"/v1/consents/{source}", content=sent, headers={**bare, **usual, **headers}
    )
    return answer


def test_states_of_consent_mode_mean_what_the_mapping_says(client, customer):
    """All states that a choice needs are a grant, one denied withdraws, one missing says nothing,
    and a state that nothing needs changes nothing.
    """
    both = {"analytics_storage": "granted", "personalization_storage": "granted"}
    told = tell(client, "banner", customer_id=customer, states={**both, "ad_user_data": "denied"})
    assert said(told) == {LOOKED_AT: "granted"}
    assert [(one["category"], one["missing"]) for one in told["unchanged"]] == [
        ("purchases", ["ad_storage"]),
        ("spending", ["ad_storage"]),
    ]
    told = tell(client, "banner", customer_id=customer, states={"analytics_storage": "granted"})
    assert said(told) == {}
    assert state(client, customer) == {LOOKED_AT: "granted"}
    told = tell(
        client,
        "banner",
        customer_id=customer,
        states={"personalization_storage": "denied", "ad_storage": "granted"},
    )
    assert said(told) == {
        LOOKED_AT: "withdrawn",
        ("churn_prediction", "purchases"): "granted",
        ("churn_prediction", "spending"): "granted",
    }
    assert state(client, customer) == said(told)


def test_the_receipt_is_kept_sealed_with_its_time_and_version(client, asked, customer):
    """An event's evidence is what was sent, whatever it holds; the ledger has its digest alone."""
    moment = clock.to_text(clock.utc_now() - timedelta(hours=1))
    body = {
        "customer_id": customer,
        "states": {"analytics_storage": "granted", "personalization_storage": "granted"},
        "occurred_at": moment,
        "tool_version": "banner 7 ü\u202e",
    }
    tell(client, "banner", **body)
    (event,) = history(client, customer)
    kept = json.loads(event["evidence"])
    assert json.loads(kept["receipt"]) == body
    assert (kept["tool"], kept["form"]) == ("banner", "consent-mode")
    assert (kept["version"], kept["said_at"]) == (body["tool_version"], moment)
    assert (event["method"], event["occurred_at"]) == ("cookie_banner", moment)
    assert event["actor"].startswith("key:")
    assert event["evidence_digest"]
    with asked.shop.database.read() as connection:
        raw = connection.exec_driver_sql("SELECT content FROM evidence").scalars().all()
    assert all(b"analytics_storage" not in bytes(one) for one in raw)


def test_a_message_that_comes_twice_adds_nothing(client, customer):
    """One that states a moment or an id is the same message; without either it is said anew."""
    states = {"analytics_storage": "denied"}
    dated = {"customer_id": customer, "states": states, "occurred_at": "2026-11-20T10:00:00Z"}
    first, again = tell(client, "banner", **dated), tell(client, "banner", **dated)
    assert [one["seq"] for one in again["recorded"]] == [one["seq"] for one in first["recorded"]]
    assert [one["repeated"] for one in again["recorded"]] == [True]
    named = {"customer_id": customer, "states": states, "idempotency_key": f"k-{customer}"}
    tell(client, "banner", **named)
    assert tell(client, "banner", **named)["recorded"][0]["repeated"]
    changed = {
        **named,
        "states": dict.fromkeys(["analytics_storage", "personalization_storage"], "granted"),
    }
    assert fault(client.post("/v1/consents/banner", json=changed))[0] == "idempotency_key"
    plain = {"customer_id": customer, "states": states}
    assert not tell(client, "banner", **plain)["recorded"][0]["repeated"]
    assert not tell(client, "banner", **plain)["recorded"][0]["repeated"]


def test_times_go_by_the_rules_of_the_ledger(client, customer):
    """A grant from before a withdrawal does not count, and one far ahead is refused."""
    both = {"analytics_storage": "granted", "personalization_storage": "granted"}
    tell(client, "banner", customer_id=customer, states={"analytics_storage": "denied"})
    late = tell(
        client, "banner", customer_id=customer, states=both, occurred_at="2026-01-01T00:00:00Z"
    )
    assert late["recorded"][0]["rule"] == "older_grant"
    ahead = clock.to_text(clock.utc_now() + timedelta(days=2))
    body = {"customer_id": customer, "states": both, "occurred_at": ahead}
    assert fault(client.post("/v1/consents/banner", json=body))[0] == "occurred_at"
    assert state(client, customer) == {LOOKED_AT: "withdrawn"}


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"states": {"analytics_storage": "yes please"}}, "states.analytics_storage", "neither"),
        ({"states": ["analytics_storage"]}, "states", "an object of states"),
        ({"states": None}, "states", "an object of states"),
        ({"customer_id": None}, "customer_id", "the id of a customer"),
        (
            {"customer_id": "n/a", "states": {"analytics_storage": "denied"}},
            "customer_id",
            "nobody",
        ),
        ({"occurred_at": "yesterday"}, "occurred_at", "is no moment"),
        ({"occurred_at": "2026-11-21T20:40:00"}, "occurred_at", "is no moment"),
        ({"colour": "red"}, "colour", "known are"),
    ],
)
def test_what_cannot_be_read_is_refused_whole(client, customer, change, field, words):
    """The refusal names the field and what was expected; nothing of the message is recorded."""
    good = {"customer_id": customer, "states": {"ad_storage": "granted"}}
    found, sentence = fault(client.post("/v1/consents/banner", json={**good, **change}))
    assert found == field
    assert words in sentence
    assert client.get(f"/v1/customers/{customer}/consents").status_code == 404


def test_what_is_no_message_is_refused(client):
    """No JSON, no object, and a tool that is not declared; without a key nobody is told."""
    assert client.post("/v1/consents/banner", content=b"{").status_code == 400
    assert client.post("/v1/consents/banner", content=b"\xff").status_code == 400
    twice = b'{"customer_id": "a", "states": {"ad_storage": "denied", "ad_storage": "granted"}}'
    assert client.post("/v1/consents/banner", content=twice).status_code == 400
    assert client.post("/v1/consents/banner", json=[1]).status_code == 422
    unknown = client.post("/v1/consents/nobodys", json={})
    assert unknown.status_code == 404
    assert "`banner`" in unknown.json()["detail"]
    for source in ("banner", "nobodys"):
        bare = client.post(f"/v1/consents/{source}", json={}, headers={"Authorization": ""})
        assert bare.status_code == 401


def test_a_tc_string_counts_for_the_shops_vendor(client, customer):
    """Purposes and vendor have to be consented to; the string is the evidence, its times count."""
    told = tell(client, "vendor", customer_id=customer, tc_string=tc_string({1, 4}))
    assert said(told) == {LOOKED_AT: "granted"}
    (event,) = history(client, customer)
    kept = json.loads(event["evidence"])
    assert json.loads(kept["receipt"])["tc_string"] == tc_string({1, 4})
    assert kept["version"] == "CMP 300 version 7, policy 5, vendor list 176"
    assert event["occurred_at"] == clock.to_text(MONDAY)
    later = MONDAY + timedelta(days=1)
    told = tell(client, "vendor", customer_id=customer, tc_string=tc_string({1}, updated=later))
    assert said(told) == {LOOKED_AT: "withdrawn"}


def test_a_withdrawal_by_a_tc_string_counts_on_the_day_of_the_grant(client, customer):
    """A string states the day alone, so what withholds is taken for its end."""
    tell(
        client,
        "vendor",
        customer_id=customer,
        tc_string=tc_string({1, 4}),
        occurred_at=clock.to_text(MONDAY + timedelta(hours=9)),
    )
    told = tell(client, "vendor", customer_id=customer, tc_string=tc_string({4}))
    assert said(told) == {LOOKED_AT: "withdrawn"}


@pytest.mark.parametrize(
    ("source", "text", "action"),
    [
        ("vendor", tc_string({1, 4}, vendors="0" * 17), "withdrawn"),
        ("vendor", tc_string((), interests={1, 4}), "withdrawn"),
        ("vendor", tc_string({1, 4}, restrictions=[(4, 0, [(1, 900)])]), "withdrawn"),
        ("vendor", tc_string({1, 4}, restrictions=[(4, 2, [(OURS, OURS)])]), "withdrawn"),
        ("vendor", tc_string({1, 4}, restrictions=[(4, 1, [(OURS, OURS)])]), "granted"),
        ("vendor", tc_string({4}, purpose_one_hidden=True), None),
        ("vendor", f"{encoded(core({1, 4}))}.{disclosed('0' * 17)}", None),
        ("publisher", f"{encoded(core())}.{publisher({4})}", "granted"),
        ("publisher", f"{encoded(core({1, 4}))}.{publisher((), {4})}", "withdrawn"),
    ],
)
def test_what_a_tc_string_means(client, customer, source, text, action):
    """No vendor consent, legitimate interest alone and a restriction are denials; a vendor or a
    purpose that was not shown says nothing.
    """
    told = tell(client, source, customer_id=customer, tc_string=text)
    assert said(told) == ({} if action is None else {LOOKED_AT: action})


@pytest.mark.parametrize(
    ("source", "text", "words"),
    [
        ("vendor", "nothing", "its field Version"),
        ("vendor", encoded(core({1, 4})), "its field DisclosedVendors"),
        ("vendor", tc_string({1, 4}, policy=3), "its field TcfPolicyVersion"),
        ("vendor", tc_string({1, 4}, service_specific=False), "its field IsServiceSpecific"),
        ("publisher", encoded(core({4})), "its field PublisherTC"),
        ("vendor", 7, "the TC string"),
    ],
)
def test_a_tc_string_that_does_not_count_is_refused_with_its_field(
    client, customer, source, text, words
):
    """Of a string that cannot be read, or is not valid any more, nothing is recorded."""
    body = {"customer_id": customer, "tc_string": text}
    field, sentence = fault(client.post(f"/v1/consents/{source}", json=body))
    assert field == "tc_string"
    assert words in sentence


def test_c15t_comes_in_by_its_signature(client, customer):
    """A consent record names its subject, states and moment; it is the tool that said it."""
    record = {
        "type": "cookie_banner",
        "subjectId": customer,
        "domain": "shop.example",
        "preferences": {"necessary": True, "experience": True, "marketing": False},
        "givenAt": int((time.time() - 60) * 1000),
    }
    answer = signed(client, "c15t", record)
    assert answer.status_code == 201, answer.text
    assert said(answer.json()) == {LOOKED_AT: "granted"}
    (event,) = history(client, customer)
    assert event["actor"] == "tool:c15t"
    assert signed(client, "c15t", record).json()["recorded"][0]["repeated"]
    known = {**record, "externalSubjectId": f"a-{customer}", "preferences": {"experience": False}}
    assert signed(client, "c15t", known).json()["customer_id"] == f"a-{customer}"


def test_what_is_not_signed_by_the_tool_is_refused(client, customer):
    """Another body, another secret, none at all, even with a key; a message without a moment could
    be sent again; a tool whose secret is not set takes nothing.
    """
    record = {"subjectId": customer, "preferences": {"experience": True}, "givenAt": 1_700_000_000}
    right = hmac.new(SECRET.encode(), json.dumps(record).encode(), hashlib.sha256).hexdigest()
    for wrong in ("", "00", right[:-2], right.replace(right[0], "x"), f"sha256={right}"):
        assert signed(client, "c15t", record, **{"X-Signature": wrong}).status_code == 401
    assert client.post("/v1/consents/c15t", json=record).status_code == 401
    assert fault(signed(client, "c15t", {**record, "givenAt": None}))[1] == "this is missing"
    assert signed(client, "unset", record).status_code == 404
    assert client.get(f"/v1/customers/{customer}/consents").status_code == 404


def test_a_signature_with_a_timestamp_is_good_for_a_while(client, customer):
    """The timestamp is signed with the body, and an old one is refused."""
    body = json.dumps(
        {
            "customer_id": customer,
            "states": {"analytics_storage": "granted"},
            "occurred_at": "2026-11-20T10:00:00Z",
        }
    ).encode()

    def sent(at: int, stated: str | None = None) -> int:
        digest = hmac.digest(SECRET.encode(), f"{at}.".encode() + body, hashlib.sha256)
        signature = "v1=" + base64.b64encode(digest).decode()
        headers = {"X-Signature": signature, "X-At": str(at) if stated is None else stated}
        return signed(client, "stamped", body, **headers).status_code

    now = int(time.time())
    assert sent(now, str(now + 1)) == 401
    assert sent(now - 600) == 401
    assert sent(now + 600) == 401
    assert sent(now) == 201


def test_any_other_tool_is_read_by_paths(client, customer):
    """Whose it is, the states of a list, the moment and the version stand where the paths lead."""
    body = {
        "person": {"account": None, "visitor": customer},
        "purposes": [{"Id": "C0004", "Status": "active"}, {"Id": "C0009", "Status": "?"}],
        "at": "2026-11-20T11:00:00+01:00",
        "policy": {"version": 12},
    }
    told = tell(client, "other", **body)
    assert (told["customer_id"], said(told)) == (customer, {LOOKED_AT: "granted"})
    (event,) = history(client, customer)
    assert event["occurred_at"] == "2026-11-20T10:00:00.000000Z"
    assert json.loads(event["evidence"])["version"] == "12"
    twice = [{"Id": "C0004", "Status": "ACTIVE"}, {"Id": "C0004", "Status": "WITHDRAWN"}]
    refused = client.post("/v1/consents/other", json={**body, "purposes": twice})
    assert fault(refused)[0] == "purposes.C0004"
