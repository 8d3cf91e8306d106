"""What a caller names with an `Idempotency-Key` is carried out once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import func, select

from features.database.caller import Recorded
from features.database.tables import (
    api_keys,
    consent_events,
    decisions,
    exposures,
    kept_answers,
    opt_outs,
    reviews,
    undelivered,
)
from features.shop.workspace import Workspace
from serving.access.api_keys import Keys
from serving.bootstrap import Sayso, assemble
from serving.decisions.undelivered import Undelivered
from serving.http.api import recommendations
from serving.http.app import make_app
from serving.http.boundary import idempotency
from serving.rights.upkeep import upkeep
from tests.serving_shop import CATEGORIES, copied, sharing

pytest_plugins = ["tests.serving_fixtures"]

AGAIN = "idempotent-replayed"


class Asking:
    """Asks a service in this process."""

    def __init__(self, sayso: Sayso, app: FastAPI) -> None:
        self.sayso, self.app = sayso, app
        _, self.secret = Keys(sayso.shop.database).create(["all"])

    def post(self, path: str, body: Any, key: str | None = None, **headers: str) -> httpx.Response:
        """The answer to a request, which is named by `key`."""
        return asyncio.run(self.posted(path, body, key, **headers))

    async def posted(
        self, path: str, body: Any, key: str | None = None, **headers: str
    ) -> httpx.Response:
        """The same, within a loop."""
        stated = {"Authorization": f"Bearer {self.secret}", **headers}
        if key is not None:
            stated["Idempotency-Key"] = key
        transport = httpx.ASGITransport(self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://shop.test") as client:
            return await client.post(path, json=body, headers=stated)

    def count(self, table: Any, **rule: Any) -> int:
        """How many rows there are."""
        query = select(func.count()).select_from(table)
        query = query.where(*(table.c[name] == value for name, value in rule.items()))
        with self.sayso.shop.database.read() as connection:
            return int(connection.execute(query).scalar_one())


@pytest.fixture(scope="module")
def ask(trained_root, tmp_path_factory) -> Iterator[Asking]:
    """A service of a shop that these tests alone change."""
    root = copied(trained_root, tmp_path_factory.mktemp("once") / "shop")
    config = root / "sayso.toml"
    text = config.read_text(encoding="utf-8").replace('"email", most = 3', '"email", most = 2')
    config.write_text(text.replace("quiet_from = 21:00:00", "quiet_from = 08:00:00"))
    sayso = assemble(Workspace.open(root), "http://shop.test")
    sayso.watch.look()
    app = make_app()
    app.state.sayso = sayso
    yield Asking(sayso, app)
    sayso.close()


@pytest.fixture(scope="module")
def people() -> Iterator[str]:
    """Customers who share everything, each given out once."""
    return iter(sharing(*CATEGORIES))


def test_three_retries_of_one_email_burn_one_contact(ask, people):
    """The same request with a key gets the same bytes, and is recorded and counted once."""
    customer = next(people)
    asked = {"customer_id": customer, "channel": "email", "k": 3}
    before = ask.count(decisions), ask.count(exposures)
    answers = [ask.post("/v1/recommendations", asked, "mail-1") for _ in range(3)]
    assert [one.status_code for one in answers] == [200] * 3
    assert len({one.content for one in answers}) == 1
    assert [one.headers.get(AGAIN) for one in answers] == [None, "true", "true"]
    assert answers[0].json()["items"]
    assert (ask.count(decisions), ask.count(exposures)) == (before[0] + 1, before[1] + 1)
    second = ask.post("/v1/recommendations", asked, "mail-2").json()
    third = ask.post("/v1/recommendations", asked, "mail-3").json()
    assert (bool(second["items"]), third["not_now_because"]) == (True, "frequency")


def test_a_key_stands_for_one_request_of_one_api_key(ask, people):
    """Another body or route is refused with 409; another API key's same key is another one."""
    asked = {"customer_id": next(people)}
    first = ask.post("/v1/churn", asked, "one")
    for path, body in (
        ("/v1/churn", {**asked, "language": "en"}),
        ("/v1/recommendations", asked),
        ("/v1/churn/batch", {"customer_ids": [asked["customer_id"]]}),
        ("/v1/reviews", {"decision_id": first.json()["decision_id"], "text": "no"}),
    ):
        assert ask.post(path, body, "one").status_code == 409
    signal = ask.post("/v1/churn", asked, "one", **{"Sec-GPC": "1"})
    assert (signal.status_code, signal.headers["content-type"]) == (409, "application/problem+json")
    other = Asking(ask.sayso, ask.app).post("/v1/churn", asked, "one")
    assert other.json()["decision_id"] != first.json()["decision_id"]
    assert ask.count(api_keys) == 2


@pytest.mark.parametrize("key", ["", "  ", "x" * 256, "a\tb", '""'])
def test_what_can_be_no_key_is_refused(ask, key):
    """A key is 1 to 255 printable characters; nothing is recorded with another."""
    before = ask.count(decisions)
    asked = {"customer_id": sharing()[0], "purpose": "x", "method": "y"}
    for path in ("/v1/churn", "/v1/consents"):
        answer = ask.post(path, asked if "consents" in path else {"customer_id": "x"}, key)
        assert answer.status_code in {400, 422}
    quick = ask.post("/v1/churn", {"customer_id": "x"}, key)
    assert (quick.status_code, ask.count(decisions)) == (400, before)


def test_while_the_first_is_answered_the_second_waits(ask, people):
    """Of the same request sent many times at once one is recorded; the others get its answer, or
    409 with when to ask again.
    """
    asked = {"customer_id": next(people), "channel": "email"}
    before = ask.count(decisions)

    async def at_once() -> list[httpx.Response]:
        return await asyncio.gather(
            *(ask.posted("/v1/recommendations", asked, "busy") for _ in range(6))
        )

    answers = asyncio.run(at_once())
    given = [one for one in answers if one.status_code == 200]
    assert given
    assert len({one.content for one in given}) == 1
    for one in answers:
        assert one.status_code == 200 or (one.status_code, one.headers["retry-after"]) == (409, "1")
    assert ask.count(decisions) == before + 1


def test_two_workers_record_a_request_once(ask, people):
    """Where two workers answer at once, what the first one recorded is what both give."""
    asked = {"customer_id": next(people)}
    apart = make_app()
    apart.state.sayso = ask.sayso
    twin = Asking(ask.sayso, apart)
    twin.secret = ask.secret
    before = ask.count(decisions)

    async def at_once() -> list[httpx.Response]:
        one, two = (it.posted("/v1/churn", asked, "twins") for it in (ask, twin))
        return await asyncio.gather(one, two)

    one, two = asyncio.run(at_once())
    assert (one.status_code, one.content) == (200, two.content)
    assert ask.count(decisions) == before + 1


@pytest.mark.parametrize("route", ["recommendations", "churn"])
def test_after_a_withdrawal_the_old_answer_stays_in(ask, people, route):
    """Once its customer has changed their mind a decision is not given again; a new key asks
    anew.
    """
    customer = next(people)
    asked = {"customer_id": customer}
    first = ask.post(f"/v1/{route}", asked, f"before-{route}").json()
    decision, _ = ask.sayso.decisions.find(first["decision_id"])
    assert ask.sayso.standing.stands(decision)
    purpose = {"recommendations": "recommendations", "churn": "churn_prediction"}[route]
    said = {"customer_id": customer, "purpose": purpose, "method": "test", "action": "withdrawn"}
    assert ask.post("/v1/consents", {**said, "category": "purchases"}).status_code == 201
    again = ask.post(f"/v1/{route}", asked, f"before-{route}")
    assert (again.status_code, first["decision_id"] in again.text) == (409, False)
    assert not ask.sayso.standing.stands(decision)
    anew = ask.post(f"/v1/{route}", asked, f"after-{route}").json()
    assert "purchases" not in anew["consent"]["used"]
    newest, _ = ask.sayso.decisions.find(anew["decision_id"])
    assert ask.sayso.standing.stands(newest)
    out = {"customer_id": customer, "scope": "brand", "value": f"brand of {route}"}
    assert ask.post("/v1/opt-outs", out).status_code == 201
    assert not ask.sayso.standing.stands(newest)


def test_an_erasure_takes_kept_answers_along(ask, people):
    """Nothing of an answer is kept once its customer is erased, nor of any that may name them."""
    customer = next(people)
    number = ask.sayso.shop.customers.pseudonym(customer)
    asked = {"customer_id": customer}
    body = {"customer_id": customer, "scope": "brand", "value": "brand 1"}
    ask.post("/v1/recommendations", asked, "erased-1")
    ask.post("/v1/opt-outs", body, "erased-2")
    ask.post("/v1/events", {"events": [{"event_id": "e"}]}, "erased-3")
    assert ask.count(kept_answers, customer=number) == 2
    held = ask.sayso.rights.export(customer)["answers_kept_for_a_day"]
    assert len(held) == 2
    receipt = ask.sayso.rights.erase(customer)
    assert customer not in json.dumps(receipt)
    assert ask.count(kept_answers, customer=number) == 0
    paths = {
        "erased-1": ("/v1/recommendations", asked),
        "erased-2": ("/v1/opt-outs", body),
        "erased-3": ("/v1/events", {"events": [{"event_id": "e"}]}),
    }
    assert [ask.post(*what, key).status_code for key, what in paths.items()] == [409] * 3


def test_choices_and_reviews_are_recorded_once(ask, people):
    """What is no decision is carried out once with its answer: same status, same body."""
    customer = next(people)
    decision = ask.post("/v1/churn", {"customer_id": customer}).json()["decision_id"]
    said = {"customer_id": customer, "purpose": "recommendations", "category": "location"}
    for path, body, table in (
        ("/v1/consents", {**said, "action": "refused", "method": "test"}, consent_events),
        ("/v1/opt-outs", {"customer_id": customer, "scope": "brand", "value": "b"}, opt_outs),
        ("/v1/reviews", {"decision_id": decision, "text": "This is not me."}, reviews),
        (f"/v1/customers/{customer}/codes", {"good_for": "data"}, kept_answers),
        ("/v1/links/revocations", {"customer_id": customer}, kept_answers),
        ("/v1/products", {"products": [{"id": "n1", "product_id": "new"}]}, kept_answers),
    ):
        before = ask.count(table)
        first, again = (ask.post(path, body, f"once {path}") for _ in range(2))
        assert first.is_success, (path, first.text)
        assert (again.status_code, again.content) == (first.status_code, first.content)
        assert again.headers.get("content-type") == first.headers.get("content-type")
        assert again.headers[AGAIN] == "true"
        assert ask.count(table) == before + 1


def test_what_was_refused_may_be_asked_again_with_its_key(ask, people):
    """A refusal records nothing, so its key is still free."""
    customer = next(people)
    wrong = {"customer_id": customer, "scope": "purpose", "value": "nothing"}
    assert ask.post("/v1/opt-outs", wrong, "mended").status_code == 422
    right = {"customer_id": customer, "scope": "purpose", "value": "churn_prediction"}
    assert ask.post("/v1/opt-outs", right, "mended").status_code == 201


def test_a_batch_that_is_sent_again_gives_the_same_lines(ask, people):
    """Every line comes again as it was, and who was not answered the first time is now."""
    asked = {"customer_ids": [next(people), "nobody-known", "n/a", next(people)], "k": 2}
    before = ask.count(decisions)
    path = "/v1/recommendations/batch"
    first = ask.post(path, asked, "batch")
    assert ask.count(decisions) == before + 3
    with ask.sayso.shop.database.write() as connection:  # as if it had been cut off
        last = json.loads(first.text.splitlines()[-1])
        gone = kept_answers.c.decision_id == last["decision_id"]
        connection.execute(kept_answers.delete().where(gone))
    again = ask.post(path, asked, "batch")
    assert again.headers[AGAIN] == "true"
    assert again.text.splitlines()[:3] == first.text.splitlines()[:3]
    assert json.loads(again.text.splitlines()[-1])["decision_id"] != last["decision_id"]
    assert ask.count(decisions) == before + 4
    assert ask.post(path, {**asked, "k": 3}, "batch").status_code == 409
    assert (
        ask.post("/v1/churn/batch", {"customer_ids": asked["customer_ids"]}, "batch").status_code
        == 409
    )


def test_what_may_be_asked_for_again_counts(ask, people):
    """An answer that did not arrive keeps its place under a cap where its request has a key, as it
    comes again; one without a key frees it.
    """
    asked = {"customer_id": next(people), "channel": "email"}
    named = ask.post("/v1/recommendations", asked, "lost").json()["decision_id"]
    plain = ask.post("/v1/recommendations", asked).json()["decision_id"]
    lost = Undelivered()
    lost.note([Recorded("decision", named), Recorded("decision", plain)])
    lost.mark(ask.sayso.shop.database, ask.sayso.shop.clock)
    counts = [(ask.count(exposures, decision_id=id)) for id in (named, plain)]
    marks = [ask.count(undelivered, reference=id) for id in (named, plain)]
    assert (counts, marks) == ([1, 0], [0, 1])


def test_an_answer_that_broke_after_it_was_recorded_comes_again(ask, people, monkeypatch):
    """What fails between recording and answering has given the decision all the same: the same
    request gets it, and none is recorded a second time.
    """

    def broken(*_parts: Any, **_named: Any) -> None:
        raise RuntimeError("the process ended here")

    asked = {"customer_id": next(people), "channel": "email"}
    before = ask.count(exposures)
    with monkeypatch.context() as patched:
        patched.setattr(recommendations, "DecidedResponse", broken)
        assert ask.post("/v1/recommendations", asked, "broken").status_code == 500
    ask.app.state.undelivered.mark(ask.sayso.shop.database, ask.sayso.shop.clock)
    again = ask.post("/v1/recommendations", asked, "broken")
    assert (again.status_code, again.headers[AGAIN]) == (200, "true")
    assert again.json()["items"]
    assert ask.count(exposures) == before + 1


def test_what_broke_before_its_answer_was_kept_was_not_done(ask, people, monkeypatch):
    """Where the answer of a choice cannot be kept, the choice is not recorded either."""
    body = {"customer_id": next(people), "scope": "brand", "value": "broken"}
    before = ask.count(opt_outs)
    with monkeypatch.context() as patched:
        patched.setattr(idempotency, "_keep", lambda *_: 1 / 0)
        assert ask.post("/v1/opt-outs", body, "half").status_code == 500
    assert ask.count(opt_outs) == before
    assert ask.post("/v1/opt-outs", body, "half").status_code == 201
    assert ask.count(opt_outs) == before + 1


def test_upkeep_forgets_keys_after_a_day(ask, people):
    """A key older than a day stands for nothing, and upkeep deletes it."""
    asked = {"customer_id": next(people)}
    first = ask.post("/v1/churn", asked, "old").json()
    with ask.sayso.shop.database.write() as connection:
        connection.execute(kept_answers.update().values(kept_at="2020-01-01T00:00:00.000000Z"))
    anew = ask.post("/v1/churn", asked, "old").json()
    assert anew["decision_id"] != first["decision_id"]
    assert upkeep(ask.sayso.shop).deleted["kept_answers"] > 0
    assert ask.count(kept_answers) == 1


def test_keys_and_answers_are_unreadable_where_they_are_kept(ask, people):
    """Neither a key nor a customer's id nor a product of the answer stands in the table."""
    customer = next(people)
    ask.post("/v1/recommendations", {"customer_id": customer}, f"mail to {customer}")
    ask.post(f"/v1/customers/{customer}/codes", {}, "a code")
    with ask.sayso.shop.database.read() as connection:
        rows = connection.execute(select(kept_answers)).all()
    assert rows
    assert customer.encode() not in b"".join(row.content or b"" for row in rows)
    assert customer not in repr([row[:-1] for row in rows])
