"""All choices of a banner come in one call: all of them are recorded, or none."""

from __future__ import annotations

import pytest

from tests.serving_shop import Client

pytest_plugins = ["tests.serving_fixtures"]
PURPOSE = "recommendations"


def choices(service: Client, action: str) -> list[dict]:
    """A choice for each category that is asked for, under the notice that is current."""
    (asked,) = (
        one
        for one in service.answer(service.http.get("/v1/notices"))["purposes"]
        if one["purpose"] == PURPOSE
    )
    notice = {"notice_version": asked["notice_version"]} if action == "granted" else {}
    return [
        {"purpose": PURPOSE, "category": one["category"], "action": action, **notice}
        for one in asked["categories"]
    ]


def test_all_choices_of_a_banner_are_recorded_at_once(service, pool):
    """The receipts follow one another in the ledger, and the next answer obeys all of them."""
    customer = pool.one(())
    said = {"customer_id": customer, "method": "banner", "choices": choices(service, "granted")}
    told = service.http.post("/v1/consents", json=said)
    assert told.status_code == 201, told.text
    receipts = told.json()["receipts"]
    assert [one["seq"] for one in receipts] == list(
        range(receipts[0]["seq"], receipts[0]["seq"] + len(said["choices"]))
    )
    assert set(service.recommend(customer)["consent"]["used"]) == {
        one["category"] for one in said["choices"]
    }
    said["choices"] = choices(service, "withdrawn")
    assert service.http.post("/v1/consents", json=said).status_code == 201
    assert service.recommend(customer)["consent"]["used"] == []


def test_one_wrong_choice_leaves_all_of_them_out(service, pool):
    """Nothing of a banner is recorded where one of its categories does not exist."""
    customer = pool.one(())
    before = service.answer(service.http.get(f"/v1/customers/{customer}/consents"))["history"]
    wrong = [*choices(service, "granted")]
    wrong[-1] = {**wrong[-1], "category": "shoe_size"}
    said = {"customer_id": customer, "method": "banner", "choices": wrong}
    refused = service.http.post("/v1/consents", json=said)
    assert refused.status_code == 422
    assert "shoe_size" in refused.text
    assert [one["field"] for one in refused.json()["errors"]] == [
        f"choices.{len(wrong) - 1}.category"
    ]
    after = service.answer(service.http.get(f"/v1/customers/{customer}/consents"))["history"]
    assert after == before


def test_a_refusal_names_every_choice_that_is_to_blame(service, pool):
    """Each by its place, and what all share once; a choice said twice and a key that stood for
    something else are named too.
    """
    customer = pool.one(())
    said = {"customer_id": customer, "method": "banner", "choices": choices(service, "granted")}
    first, second, third = said["choices"][:3]
    wrong = [
        {**first, "category": "shoe_size"},
        second,
        {**third, "notice_version": "never"},
    ]

    def faults(**body: object) -> list[str]:
        refused = service.http.post("/v1/consents", json={**said, **body})
        assert refused.status_code == 422, refused.text
        return [one["field"] for one in refused.json()["errors"]]

    assert faults(choices=wrong) == ["choices.0.category", "choices.2.notice_version"]
    assert faults(choices=wrong[1:2], method="preference_page") == ["method"]
    twice = service.http.post("/v1/consents", json={**said, "choices": [first, second, first]})
    assert "choice 2 is about the same as choice 0" in twice.text
    kept = {**first, "action": "refused", "idempotency_key": f"key-{customer}"}
    said["choices"] = [kept]
    assert service.http.post("/v1/consents", json=said).status_code == 201
    again = {**kept, "action": "withdrawn"}
    assert faults(choices=[second, again]) == ["choices.1.idempotency_key"]
    state = service.answer(service.http.get(f"/v1/customers/{customer}/consents"))["state"]
    (stands,) = [s for s in state if (s["purpose"], s["category"]) == (PURPOSE, second["category"])]
    assert stands["action"] == "refused"


@pytest.mark.parametrize(
    "more", [{}, {"choices": []}, {"purpose": PURPOSE, "choices": "all"}, {"idempotency_key": "k"}]
)
def test_a_request_says_one_thing_or_several(service, pool, more):
    """Neither, both, and none of several are refused with what is expected."""
    said = {"customer_id": pool.one(()), "method": "banner", **more}
    if more.get("choices") == "all" or "idempotency_key" in more:
        said["choices"] = choices(service, "refused")
    assert service.http.post("/v1/consents", json=said).status_code == 422
