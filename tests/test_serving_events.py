"""What comes back over HTTP: each event has a fate of its own, what it changes shows in the next
answer, and links tell without a key.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.serving_shop import FOR_ITEMS, NO_TLS, OWN_SITE, Client

pytest_plugins = ["tests.serving_fixtures"]


def daytime() -> str:
    """A time zone in which it is noon, so that no quiet hours hold."""
    return f"Etc/GMT{datetime.now(UTC).hour - 12:+d}"


def mailed(service: Client, customer: str) -> dict[str, Any]:
    """An answer for an e-mail."""
    return service.recommend(customer, channel="email", time_zone=daytime())


def event(answer: dict[str, Any], kind: str, place: int | None = 0, **fields: Any) -> dict:
    """An event of now about a product of an answer."""
    product = {} if place is None else {"product_id": answer["items"][place]["product_id"]}
    return {
        "event_id": uuid4().hex,
        "decision_id": answer["decision_id"],
        "kind": kind,
        "occurred_at": datetime.now(UTC).isoformat(),
        **product,
        **fields,
    }


def tell(service: Client, *events: object) -> dict[str, Any]:
    """What becomes of events."""
    return service.answer(service.http.post("/v1/events", json={"events": events}), 202)


def exported(service: Client, customer: str) -> list[dict[str, Any]]:
    """The events of a customer's export."""
    held = service.answer(service.http.get(f"/v1/customers/{customer}/export"))
    found: list[dict[str, Any]] = held["events"]
    return found


def follow(url: str, method: str = "GET", **headers: str) -> httpx.Response:
    """A link as somebody without a key follows it."""
    return httpx.request(method, url, headers=headers, timeout=30.0, verify=NO_TLS)


def test_each_event_has_a_fate_of_its_own(service, pool):
    """In one batch the good are kept as they were told, the known are counted, and each of the
    others is rejected with its reason.
    """
    customer, other = pool.take(2)
    answer = service.recommend(customer)
    shown = event(answer, "shown", None)
    bought = event(answer, "bought", 1, value=12.5, currency="GBP", order_id="o-1")
    long_ago = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    ahead = (datetime.now(UTC) + timedelta(hours=25)).isoformat()
    wrong = {
        "said something else": {**shown, "kind": "clicked"},
        "no such decision": {**event(answer, "shown"), "decision_id": "dec_0"},
        "did not show the product": event(answer, "clicked", product_id="never-sold"),
        "24 hours ahead": event(answer, "clicked", occurred_at=ahead),
        "before the decision was made": event(answer, "clicked", occurred_at=long_ago),
        "no rate for the currency": event(answer, "bought", value=1, currency="XTS"),
        "not made for that": event(answer, "clicked", customer_id=other),
        "needs a `product_id`": event(answer, "added", None),
        "showed no products": {
            **event(answer, "shown", None),
            "decision_id": service.churn(customer)["decision_id"],
        },
        "`kind`": event(answer, "liked"),
        "`value`": event(answer, "bought", value=-1),
        "valid dictionary": 7,
    }
    within = event(
        answer, "clicked", occurred_at=(datetime.now(UTC) + timedelta(hours=23)).isoformat()
    )
    said = tell(service, shown, bought, shown, *wrong.values(), within)
    assert (said["accepted"], said["duplicate"], said["dropped_unconsented"]) == (3, 1, 0)
    assert [one["index"] for one in said["rejected"]] == list(range(3, 3 + len(wrong)))
    for told, reason in zip(said["rejected"], wrong, strict=True):
        assert reason in told["detail"]
    again = tell(service, shown, bought)
    assert (again["accepted"], again["duplicate"], again["rejected"]) == (0, 2, [])
    kept = {one["event_id"]: one for one in exported(service, customer)}
    assert set(kept) == {shown["event_id"], bought["event_id"], within["event_id"]}
    told = {name: kept[bought["event_id"]][name] for name in ("value", "currency", "order_id")}
    assert told == {"value": 12.5, "currency": "GBP", "order_id": "o-1"}


def test_what_may_not_be_collected_is_dropped_at_the_door(service, pool):
    """Of a purchase nothing is kept without the category of purchases, of a click nothing without
    all that the answer used; what the customer wants is obeyed all the same, and nothing is kept of
    who shares nothing.
    """
    customer = pool.one()
    answer = service.recommend(customer)
    service.say(customer, FOR_ITEMS, "spending", "withdrawn")
    said = tell(service, event(answer, "clicked"), event(answer, "bought"))
    assert (said["accepted"], said["dropped_unconsented"]) == (1, 1)
    service.say(customer, FOR_ITEMS, "purchases", "withdrawn")
    said = tell(service, event(answer, "bought", 1), event(answer, "dismissed", 2))
    assert (said["accepted"], said["dropped_unconsented"]) == (1, 1)
    assert [one["kind"] for one in exported(service, customer)] == ["bought", "dismissed"]
    stranger = pool.one(())
    best_sellers = service.recommend(stranger)
    said = tell(service, event(best_sellers, "shown"), event(best_sellers, "bought"))
    assert (said["accepted"], said["dropped_unconsented"]) == (0, 2)
    assert exported(service, stranger) == []


def test_the_next_answer_obeys_what_came_back(service, pool):
    """A dismissed product is hidden for a month, and after `unsubscribed` nothing is shown on that
    channel, while others go on; both are opt-outs that can be taken back.
    """
    customer = pool.one()
    answer = mailed(service, customer)
    dismissed = event(answer, "dismissed")
    assert tell(service, dismissed)["accepted"] == 1
    products = {item["product_id"] for item in mailed(service, customer)["items"]}
    assert products
    assert dismissed["product_id"] not in products
    assert tell(service, event(answer, "unsubscribed", None))["accepted"] == 1
    silent = mailed(service, customer)
    assert (silent["items"], silent["not_personalized_because"]) == ([], "opted_out")
    assert service.recommend(customer)["items"]
    found = service.answer(service.http.get(f"/v1/customers/{customer}/opt-outs"))["opt_outs"]
    assert {(one["scope"], one["value"]) for one in found} == {
        ("product", dismissed["product_id"]),
        ("channel", "email"),
    }


def test_a_message_tells_by_itself_what_came_of_it(service, pool):
    """Its picture tells that it was shown and its link that it was clicked, each once; who looks
    ahead tells nothing, and another channel has no such link.
    """
    customer = pool.one()
    assert service.recommend(customer)["event_url"] is None
    answer = mailed(service, customer)
    url, product = answer["event_url"], answer["items"][0]["product_id"]
    link = f"{url}?to={OWN_SITE}/p/1%3Fa=b&product_id={product}"
    for method, headers in (
        ("HEAD", {}),
        ("GET", {"Sec-Purpose": "prefetch;prerender"}),
        ("GET", {"Sec-Fetch-Mode": "no-cors"}),
    ):
        assert follow(link, method, **headers).headers["location"] == f"{OWN_SITE}/p/1?a=b"
    assert exported(service, customer) == []
    for _ in range(2):
        assert follow(link).status_code == 303
        picture = follow(f"{url}.gif")
        assert (picture.headers["content-type"], picture.content[:3]) == ("image/gif", b"GIF")
        assert picture.headers["cache-control"] == "no-store"
    told = [(one["kind"], one.get("product_id")) for one in exported(service, customer)]
    assert sorted(told, key=str) == [("clicked", product), ("shown", None)]


@pytest.mark.parametrize(
    "to",
    [
        *("https://evil.example/", "//evil.example", "/p/1", "javascript:alert(1)", ""),
        *(f"{OWN_SITE}.evil.example/", f"{OWN_SITE}@evil.example/", f"{OWN_SITE}:444/p"),
        *(f"{OWN_SITE}\\@evil.example/", "http://mugs.example/", f" {OWN_SITE}/", f"{OWN_SITE}\n"),
    ],
)
def test_a_link_leads_nowhere_else(service, to):
    """A link is no way to another site than the shop's own, however it is written."""
    url = f"{service.url}/e/{'x' * 20}"
    refused = httpx.get(url, params={"to": to}, timeout=30.0, verify=NO_TLS)
    assert refused.status_code == 404
    assert "location" not in refused.headers
    assert follow(f"{url}?to={OWN_SITE}/p").headers["location"] == f"{OWN_SITE}/p"


def test_a_browser_that_asks_not_to_be_profiled_tells_nothing(service, pool):
    """With `Sec-GPC: 1` the link leads on, nothing is kept, and that is confirmed."""
    customer = pool.one()
    url = mailed(service, customer)["event_url"]
    followed = follow(f"{url}?to={OWN_SITE}/", **{"Sec-GPC": "1"})
    assert (followed.status_code, followed.headers["privacy-signal"]) == (303, "honoured")
    assert exported(service, customer) == []
