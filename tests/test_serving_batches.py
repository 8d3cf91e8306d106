"""Answers to many customers at once."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator
from time import monotonic, sleep
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import func, select

from features.config.environment import Settings
from features.consent.ledger import ConsentEvent
from features.database.caller import Caller, serving
from features.database.prepared import AT_ONCE
from features.database.tables import audit_log, decisions, exposures, undelivered
from serving.bootstrap import assemble
from serving.contract.requests import RecommendationRequest
from serving.decisions.deciding import Decided
from serving.http.boundary.lanes import Lanes
from serving.http.boundary.lines import LinesResponse
from tests.decided import told
from tests.serving_shop import CATEGORIES, FOR_ITEMS

pytest_plugins = ["tests.serving_fixtures"]

OWN = ("decision_id", "request_id", "generated_at", "why_url", "preferences_url")
"""What is another each time."""
NOBODY = "n/a"
UNKNOWN = "zqx-canary-nobody-knows-this-one"


def asked(service, route: str, customer_ids: list[Any], **fields: Any) -> list[dict[str, Any]]:
    """The lines of a batch."""
    body = {"customer_ids": customer_ids, **fields}
    answer = service.http.post(f"/v1/{route}/batch", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/x-ndjson"
    return [json.loads(line) for line in answer.text.splitlines()]


def said(answer: dict[str, Any]) -> dict[str, Any]:
    """What an answer says whenever it is given."""
    return {name: value for name, value in answer.items() if name not in OWN}


def count(shop: Any, table: Any) -> int:
    """How many rows there are."""
    with shop.database.read() as connection:
        query = select(func.count()).select_from(table)
        return int(connection.execute(query).scalar_one())


@pytest.fixture
def people(service, pool) -> Iterator[list[str]]:
    """Customers of every kind, one of them opted out."""
    silent = pool.one()
    out = service.opt_out(silent, "all")
    some = tuple(name for name in CATEGORIES if name != "purchases")
    yield [*pool.take(4), pool.one(some), pool.one(()), silent, UNKNOWN]
    service.http.delete(f"/v1/opt-outs/{out['id']}")


@pytest.mark.parametrize(
    ("route", "fields"),
    [
        ("recommendations", {"k": 7, "language": "en"}),
        ("recommendations", {"explain": "none", "only_new": True, "basket": ["p01"]}),
        ("churn", {"language": "en"}),
    ],
)
def test_a_line_is_the_answer_of_the_route_for_one(service, served, people, route, fields):
    """Each line says what the single route says, in the order asked, and is recorded, audited and
    replayed like it.
    """
    before = count(served, decisions), count(served, audit_log)
    lines = asked(service, route, people, **fields)
    after = count(served, decisions), count(served, audit_log)
    assert [line["customer_id"] for line in lines] == people
    assert (after[0] - before[0], after[1] - before[1]) == (len(people), len(people) - 1)
    for customer_id, line in zip(people, lines, strict=True):
        body = {"customer_id": customer_id, **fields}
        alone = service.http.post(f"/v1/{route}", json=body)
        assert said(line) == said(alone.json())
        assert set(line) == set(alone.json())
        assert service.replay(line["decision_id"])["replay"] == {"identical": True}


def test_what_is_wrong_with_one_customer_is_said_on_their_line(service, pool):
    """An id that nobody can have is refused as the single route refuses it; the others are
    answered, and who is named twice once.
    """
    one, two = pool.take(2)
    lines = asked(service, "recommendations", [one, NOBODY, two, one])
    refused = service.http.post("/v1/recommendations", json={"customer_id": NOBODY}).json()
    assert lines[1] == {"customer_id": NOBODY, **refused}
    assert lines[0]["decision_id"] == lines[3]["decision_id"] != lines[2]["decision_id"]


def test_a_line_for_a_message_holds_a_link_of_its_own(service, pool):
    """As the route for one gives it: what is shown there tells what came of it by itself."""
    lines = asked(service, "recommendations", pool.take(2), channel="email")
    links = {line["event_url"] for line in lines}
    assert len(links) == 2
    assert all("/e/" in link for link in links)


@pytest.mark.parametrize(
    ("customer_ids", "field"),
    [([], "customer_ids"), (["x"] * 1_001, "customer_ids"), ([17], "customer_ids.0")],
)
def test_a_batch_that_is_none_is_refused(service, customer_ids, field):
    """None, more than a thousand, or what is no id at all is refused before anybody is answered."""
    for route in ("recommendations", "churn"):
        refused = service.http.post(f"/v1/{route}/batch", json={"customer_ids": customer_ids})
        assert refused.status_code == 422
        assert refused.json()["errors"][0]["field"] == field
    misspelt = {"customer_ids": ["x"], "channel": "emial"}
    assert service.http.post("/v1/recommendations/batch", json=misspelt).status_code == 422


def test_a_withdrawal_in_the_middle_is_obeyed(served, pool):
    """Who withdraws while their chunk is made is answered without what they withdrew, and nobody
    else is answered anew; two spellings of one customer burn a cap one after the other.
    """
    sayso = assemble(served.workspace, "http://127.0.0.1")
    sayso.watch.look()
    first, gone, last = pool.take(3)
    decider, made = sayso.recommender._decider, []
    usual = sayso.recommender._make

    def make(request: Any, permissions: Any, **named: Any) -> Any:
        made.append(len(permissions))
        if len(made) == 1:
            for category in CATEGORIES:
                event = ConsentEvent(gone, FOR_ITEMS, category, "withdrawn", "test")
                sayso.shop.ledger.append(event)
        return usual(request, permissions, **named)

    sayso.recommender._make = make
    before = count(served, decisions), count(served, exposures)
    request = RecommendationRequest(customer_id=first)
    found = sayso.recommender.answer_all(request, [first, gone, last, f" {first}"])
    assert made == [3, 2]
    answers = [told(one) for one in found if isinstance(one, Decided)]
    assert [one["personalized"] for one in answers] == [True, False, True, True]
    assert answers[1]["not_personalized_because"] == "no_consent"
    assert count(served, decisions) - before[0] == count(served, exposures) - before[1] == 4
    assert decider is sayso.recommender._decider
    sayso.close()


def test_who_goes_away_is_not_answered_any_further(service, served):
    """A caller who is gone stops their batch; what was recorded for them is marked as
    undelivered.
    """
    ids = [f"{UNKNOWN}-{number}" for number in range(8 * AT_ONCE)]
    content = json.dumps({"customer_ids": ids}).encode()
    url, before = service.http.base_url, count(served, decisions)
    marked = count(served, undelivered)
    with socket.create_connection((url.host, url.port)) as line:
        line.sendall(
            b"POST /v1/recommendations/batch HTTP/1.1\r\nHost: shop\r\n"
            b"Content-Type: application/json\r\nAuthorization: Bearer "
            + service.key.encode()
            + f"\r\nContent-Length: {len(content)}\r\n\r\n".encode()
            + content
        )
    ends = monotonic() + 10
    while monotonic() < ends and count(served, undelivered) == marked:
        sleep(0.1)
    recorded, lost = count(served, decisions) - before, count(served, undelivered) - marked
    assert AT_ONCE <= lost <= recorded < len(ids)


class Slow:
    """A batch whose first customer is answered at once, and the others not in time."""

    customer_ids = ("first", "second", "third")

    def chunks(self) -> Iterator[list[tuple[str, Any]]]:
        """The first, and later the others."""
        yield [("first", None)]
        sleep(1.0)
        yield [("second", None), ("third", None)]


def test_who_is_left_when_it_takes_too_long_is_told_so():
    """What was answered in time was given; the customers who are left get 503 on their lines, and
    the answer ends.
    """
    settings, sent = Settings(answer_seconds=0.2), []
    web = SimpleNamespace(state=SimpleNamespace(lanes=Lanes.of(settings)))
    response = LinesResponse(Slow(), lambda one, _: json.dumps({"customer_id": one}).encode())

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def run() -> None:
        with serving(Caller(settings.answer_seconds)):
            await response({"type": "http", "app": web}, send, send)

    asyncio.run(run())
    web.state.lanes.close()
    lines = [json.loads(line) for line in b"".join(one["body"] for one in sent[1:]).splitlines()]
    assert [line["customer_id"] for line in lines] == list(Slow.customer_ids)
    assert [line.get("status") for line in lines] == [None, 503, 503]
    assert sent[-1]["more_body"] is False
