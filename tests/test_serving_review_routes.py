"""Contesting a decision over HTTP: by key and by the customer's own link, and what an overridden
decision changes.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from features.database.tables import reviews
from serving.access.signed_links import Page
from serving.contract import responses as answers
from serving.contract.answers import Churn
from tests.serving_shop import SCRIPT, Client
from tests.test_docs_openapi import fits
from tests.test_serving_requests import is_problem

pytest_plugins = ["tests.serving_fixtures"]

VERDICT = {"outcome": "upheld", "reason": "We looked at it again.", "reviewer": "Mia"}


def later(days: float) -> str:
    """A moment some days from now."""
    return (datetime.now(UTC) + timedelta(days=days)).isoformat()


def ask(service: Client, decision: dict, text: str = "That is not me.", status: int = 201) -> dict:
    """Contest a decision."""
    return service.answer(
        service.http.post(
            "/v1/reviews", json={"decision_id": decision["decision_id"], "text": text}
        ),
        status,
    )


def resolve(service: Client, review: dict, **verdict: object) -> httpx.Response:
    """Give a review its outcome."""
    return service.http.post(f"/v1/reviews/{review['id']}/resolve", json=VERDICT | verdict)


def overridden(service: Client, decision: dict, **effects: object) -> dict:
    """The review in which a decision was overridden."""
    return service.answer(resolve(service, ask(service, decision), outcome="overridden", **effects))


@pytest.fixture(scope="module")
def decision(service, pool) -> dict:
    """A recommendation that several tests contest."""
    answer: dict = service.recommend(pool.one())
    return answer


@pytest.fixture(scope="module")
def review(service, pool) -> dict:
    """An open review of an estimate, which every test leaves open."""
    return ask(service, service.churn(pool.one()))


def test_a_contested_decision_waits_with_the_explanation_that_the_customer_has(service, pool):
    """Asking answers 201 with the decision as it was given, asking again 200 with the same review,
    and the queue shows it.
    """
    decision = service.recommend(pool.one())
    review = ask(service, decision)
    fits(answers.ReviewAnswer, review)
    assert review["decision"]["items"] == decision["items"]
    assert (review["customer_id"], review["status"], review["overdue"]) == (
        decision["customer_id"],
        "open",
        False,
    )
    assert ask(service, decision, "again", 200) == review
    queue = service.answer(service.http.get("/v1/reviews", params={"most": 500}))
    fits(answers.ReviewList, queue)
    assert review in queue["reviews"]
    assert queue["open"] >= 1


def test_a_suppressed_product_is_never_shown_again(service, pool):
    """Overriding a recommendation hides the product from the next answer on."""
    customer = pool.one()
    decision = service.recommend(customer)
    product = decision["items"][0]["product_id"]
    review = overridden(service, decision, suppress=product)
    assert (review["status"], review["effects"], review["reviewer"]) == (
        "overridden",
        {"suppress": product},
        "Nora",
    )
    assert product not in [
        item["product_id"] for item in service.recommend(customer, k=100)["items"]
    ]


def test_a_set_band_is_honoured_marked_and_replayed(service, pool):
    """The estimate keeps its probability, its band and suggested actions are the reviewer's, it
    says so, and its replay is identical.
    """
    customer = pool.one()
    before = service.churn(customer)
    assert "band_set_by_review" not in before
    wanted = "high" if before["band"] != "high" else "low"
    review = overridden(service, before, band=wanted, band_until=later(2))
    after = service.churn(customer)
    fits(Churn, after)
    assert (after["band"], after["probability"], after["explanation"]) == (
        wanted,
        before["probability"],
        before["explanation"],
    )
    assert after["band_set_by_review"]["review_id"] == review["id"]
    assert after["band_set_by_review"]["estimated"] == before["band"]
    assert ("none" in [action["action"] for action in after["suggested_actions"]]) == (
        wanted == "low"
    )
    for decision in (before, after):
        assert service.replay(decision["decision_id"])["replay"] == {"identical": True}


def test_a_set_band_ends(service, pool):
    """When its moment comes the estimate decides again."""
    customer = pool.one()
    before = service.churn(customer)
    wanted = "high" if before["band"] != "high" else "low"
    overridden(service, before, band=wanted, band_until=later(1 / 86_400))
    ends = datetime.now(UTC) + timedelta(seconds=10)
    while (answer := service.churn(customer))["band"] == wanted and datetime.now(UTC) < ends:
        pass
    assert answer["band"] == before["band"]
    assert "band_set_by_review" not in answer


def test_a_corrected_field_reaches_the_next_answer(service, pool):
    """Overriding by a correction changes what the next estimate is made from."""
    customer = pool.one()
    before = service.churn(customer)
    known = {part["feature"]: part["value"] for part in before["explanation"]["contributions"]}
    home = known.get("home_country", 0.0)
    country = "Norway" if home else "United Kingdom"
    review = overridden(
        service, before, correction={"field": "customers.country", "value": country}
    )
    assert review["effects"]["correction"]["value"] == country
    held = service.answer(service.http.get(f"/v1/customers/{customer}/export"))
    assert {row["country"] for row in held["warehouse"]["customers"]} == {country}
    assert held["reviews"][0]["reason"] == VERDICT["reason"]


def test_resolving_twice_is_a_conflict(service, pool):
    """The second verdict is 409, whatever it says; an unknown review is 404."""
    review = ask(service, service.churn(pool.one()))
    service.answer(resolve(service, review))
    is_problem(resolve(service, review), 409)
    is_problem(resolve(service, review, outcome="overridden", band="low", band_until=later(1)), 409)
    is_problem(resolve(service, {"id": "rev_0"}), 404)


@pytest.mark.parametrize(
    ("fault", "field"),
    [
        ({"reason": ""}, "reason"),
        ({"outcome": "open"}, "outcome"),
        ({"outcome": "overridden"}, "outcome"),
        ({"suppress": "p01"}, "outcome"),
        ({"outcome": "overridden", "suppress": "p01"}, "suppress"),
        ({"outcome": "overridden", "band": "none", "band_until": "2100-01-01T00:00:00Z"}, "band"),
        (
            {"outcome": "overridden", "band": "low", "band_until": "2020-01-01T00:00:00Z"},
            "band_until",
        ),
        ({"outcome": "overridden", "band": "low", "band_until": "tomorrow"}, "band_until"),
        (
            {"outcome": "overridden", "correction": {"field": "customers.mood", "value": "good"}},
            "field",
        ),
        ({"note": "x"}, "note"),
    ],
)
def test_a_verdict_that_breaks_a_rule_names_its_field(service, review, fault, field):
    """422 with the field, and the review stays open."""
    assert field in [
        error["field"] for error in is_problem(resolve(service, review, **fault), 422)["errors"]
    ]
    waiting = service.answer(service.http.get("/v1/reviews", params={"most": 500}))["reviews"]
    assert review["id"] in [entry["id"] for entry in waiting]


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"text": "x"}, 422, "decision_id"),
        ({"decision_id": "dec_0"}, 422, "text"),
        ({"decision_id": "dec_0", "text": ""}, 422, "text"),
        ({"decision_id": "dec_0", "text": "x" * 2_001}, 422, "text"),
        ({"decision_id": "dec_0", "text": 7}, 422, "text"),
        ({"decision_id": "dec_0", "text": "x", "owner": "me"}, 422, "owner"),
        ({"decision_id": "dec_0", "text": "x"}, 404, None),
    ],
)
def test_a_contest_that_breaks_a_rule_names_its_field(service, body, status, field):
    """What is missing, too long or of a wrong type is 422 with its field; a decision that is not
    there is 404.
    """
    document = is_problem(service.http.post("/v1/reviews", json=body), status)
    assert field is None or field in [error["field"] for error in document["errors"]]


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b'{"decision_id": "dec_0", "text": "\\ud800"}', b"M\xfc"]
)
def test_a_hostile_contest_breaks_nothing(service, body):
    """Bytes that are no contest are refused with a problem document."""
    response = service.http.post(
        "/v1/reviews", content=body, headers={"Content-Type": "application/json"}
    )
    assert is_problem(response, response.status_code)["status"] in {400, 422}


@pytest.mark.parametrize("query", [{"status": "late"}, {"most": 0}, {"most": 501}, {"most": "x"}])
def test_a_queue_that_cannot_be_is_refused(service, query):
    """A status or a number that does not exist is 422 with its name."""
    document = is_problem(service.http.get("/v1/reviews", params=query), 422)
    assert next(iter(query)) in [error["field"] for error in document["errors"]]


def contest(service: Client, address: str, **form: str) -> httpx.Response:
    """A customer's contest from the page at `address`."""
    return service.press(f"{address}/review", **form)


def test_a_customer_contests_from_the_page_and_twice_is_once(service, pool):
    """The form leads back to the page, its text waits in the queue with its scripts as text, and
    pressing twice is one review.
    """
    decision = service.recommend(pool.one())
    for _ in range(2):
        pressed = contest(service, decision["why_url"], text=SCRIPT)
        assert pressed.status_code == 303
        assert decision["why_url"].endswith(pressed.headers["location"].partition("?")[0])
        assert pressed.headers["cache-control"] == "no-store"
    listed = service.answer(service.http.get("/v1/reviews", params={"most": 500}))["reviews"]
    assert [
        entry["text"] for entry in listed if entry["decision_id"] == decision["decision_id"]
    ] == [SCRIPT]


def test_the_page_shows_what_became_of_a_contest(service, pool):
    """A page offers the form, then says until when a person answers, and in the end what they
    decided and why, as text.
    """
    decision = service.recommend(pool.one())
    address = decision["why_url"]
    assert 'name="text"' in service.page(address).text
    contest(service, address, text="No.")
    waiting = service.page(address).text
    assert 'name="text"' not in waiting
    assert "A person looks at this" in waiting
    review = ask(service, decision, "No.", 200)
    service.answer(resolve(service, review, reason="Because <b>it</b> is right."))
    done = service.page(address).text
    assert "left it as it is" in done
    assert "Because &lt;b&gt;it&lt;/b&gt; is right." in done


def test_looking_at_the_address_contests_nothing(decision, served):
    """A GET of the form's address, as a mail scanner makes it, writes no review."""
    address = decision["why_url"] + "/review"

    def count() -> int:
        with served.database.read() as connection:
            return len(connection.execute(reviews.select()).all())

    before = count()
    for method in ("GET", "HEAD", "OPTIONS"):
        assert httpx.request(method, address, params={"text": "x"}).status_code in {404, 405}
    assert count() == before


@pytest.mark.parametrize(
    ("text", "status"),
    [("", 422), (" \n", 422), ("x" * 2_001, 422), ("x" * 10_000_000, 413), ("é\r\n" * 600, 303)],
)
def test_a_text_of_any_size_is_taken_or_refused(service, decision, text, status):
    """Nothing, and more than 2,000 characters, is refused with a page or, where it is huge, before
    it is read.
    """
    assert contest(service, decision["why_url"], text=text).status_code == status


def test_the_page_of_a_refusal_shows_no_script(service, decision):
    """A missing text is answered with a safe page in words."""
    refused = contest(service, decision["why_url"])
    assert refused.headers["content-type"].startswith("text/html")
    assert "<script" not in refused.text
    assert refused.headers["content-security-policy"]


def test_a_link_that_does_not_work_contests_nothing(service, decision):
    """A forged link, one of another page and one about nobody's decision are refused without a
    review.
    """
    token = decision["why_url"].rsplit("/", 1)[1]
    foreign = decision["preferences_url"].rsplit("/", 1)[1]
    for wrong in (
        token[:-3] + "xyz",
        foreign,
        service.links.path(Page.WHY, "dec_0").rsplit("/", 1)[1],
    ):
        assert contest(service, f"/why/{wrong}", text="x").status_code == 404
    nobody = service.recommend("nobody-of-this-shop")
    assert contest(service, nobody["why_url"], text="x").status_code == 422


def test_the_metrics_count_who_waits(service, pool):
    """`/metrics` tells how many reviews are open and overdue, and one more after a contest."""

    def figure(name: str) -> float:
        text = httpx.get(f"{service.url}/metrics").text
        return next(
            float(line.split()[1]) for line in text.splitlines() if line.startswith(f"{name} ")
        )

    before = figure("sayso_reviews_open")
    ask(service, service.recommend(pool.one()))
    assert figure("sayso_reviews_open") == before + 1
    assert figure("sayso_reviews_overdue") == 0
