"""The client asks what the contract takes, asks again where that helps, and gives typed answers."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, get_type_hints
from uuid import uuid4

import pytest

from serving.audiences.audience import Member
from serving.client import Client, NoAnswer, Patience, Refused
from serving.contract import questions
from serving.contract.answers import Churn, Recommendation
from serving.contract.events import EventRequest
from serving.contract.problems import BEING_ANSWERED, INVALID, UNAVAILABLE, LineProblem
from serving.contract.requests import Choice, ConsentRequest, RecommendationOptions
from serving.contract.responses import RowsAnswer
from serving.http.reference.examples import examples
from serving.server import free_port
from tests.serving_shop import CATEGORIES

pytest_plugins = ["tests.serving_fixtures"]

HEAVY = ("bentoml", "fastapi", "pandas", "pyarrow", "sqlalchemy", "duckdb", "ibis", "lightgbm")
ANSWER = examples()["recommend"].answer
ROWS = {"accepted": 1, "duplicate": 0, "dropped_unconsented": 0, "rejected": []}


@dataclass
class Reply:
    """What the service says next: a body, and whether the connection breaks off after it."""

    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)
    broken: bool = False


@dataclass
class Service:
    """A service that says what it was told to say, and notes what it was asked."""

    replies: list[Reply]
    url: str = ""
    asked: list[tuple[str, dict[str, str], Any]] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)

    def client(self, **patience: float) -> Client:
        """A client of it that does not really wait and always draws a half."""
        told = {"tries": 3, **patience}
        return Client(
            self.url, "a key", Patience(**told), sleep=self.slept.append, draw=lambda: 0.5
        )


def refusal(status: int, kind: str = UNAVAILABLE.uri, **headers: str) -> Reply:
    """A problem document."""
    body = {"type": kind, "title": "A title", "status": status, "detail": "A detail.", "errors": []}
    return Reply(status, body, {name.replace("_", "-"): said for name, said in headers.items()})


@contextmanager
def saying(*replies: Reply) -> Iterator[Service]:
    """A service on a socket that gives these replies in turn."""
    service = Service(list(replies))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.do_POST()

        def do_POST(self) -> None:
            sent = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or "null")
            service.asked.append((self.path, dict(self.headers), sent))
            reply = service.replies.pop(0)
            said = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(said) + (100 if reply.broken else 0)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_arguments: object) -> None:
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        service.url = f"http://127.0.0.1:{server.server_port}"
        yield service
        server.shutdown()


def test_it_needs_nothing_heavy() -> None:
    """A program that imports the client loads none of what the service is made of."""
    program = "import sys, serving.client; print([m for m in sys.argv[1:] if m in sys.modules])"
    run = [sys.executable, "-c", program, *HEAVY]
    done = subprocess.run(run, capture_output=True, check=True)  # noqa: S603 - our own program
    assert done.stdout.strip() == b"[]"


@pytest.mark.parametrize(
    ("asked", "taken"),
    [
        (set(get_type_hints(questions.Options)), set(RecommendationOptions.model_fields)),
        (set(get_type_hints(questions.Choice)), set(Choice.model_fields)),
        (
            set(get_type_hints(questions.Asked)) | set(get_type_hints(questions.Choice)),
            set(ConsentRequest.model_fields) - {"customer_id", "choices"},
        ),
        ({one.name for one in fields(questions.Event)}, set(EventRequest.model_fields)),
    ],
    ids=["options", "choice", "asked", "event"],
)
def test_it_asks_all_that_the_contract_takes(asked: set[str], taken: set[str]) -> None:
    """The client's types have the fields of the requests, and no others."""
    assert asked == taken


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_it_asks_again_with_the_same_idempotency_key(status: int) -> None:
    """After a refusal that passes the same request is sent again, under the same key; the next
    question has another.
    """
    replies = [refusal(status), Reply(200, ANSWER), Reply(200, ANSWER)]
    with saying(*replies) as service, service.client() as client:
        assert client.recommend("17850", k=1).decision_id == ANSWER["decision_id"]
        client.recommend("17850", k=1)
    keys = [headers["Idempotency-Key"] for _, headers, _ in service.asked]
    assert keys[0] == keys[1] != keys[2]
    assert service.asked[0][2] == service.asked[1][2] == {"customer_id": "17850", "k": 1}
    assert service.slept == [0.5 * 0.2]


def test_it_comes_back_to_what_is_being_answered() -> None:
    """Where the first try still runs, the second waits for its answer."""
    replies = [refusal(409, BEING_ANSWERED.uri, Retry_After="1"), Reply(200, ANSWER)]
    with saying(*replies) as service, service.client() as client:
        assert client.recommend("17850").decision_id == ANSWER["decision_id"]
    assert service.slept == [1 + 0.5 * 0.2]


def test_it_waits_as_long_as_it_is_told() -> None:
    """`Retry-After` counts, as seconds and as a date, and each pause by chance is longer."""
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)
    replies = [refusal(429, Retry_After="3"), refusal(503, Retry_After=date), Reply(202, ROWS)]
    with saying(*replies) as service, service.client() as client:
        client.send_events([event()])
    assert service.slept[0] == 3 + 0.5 * 0.2
    assert 18 < service.slept[1] - 0.5 * 0.4 <= 20


def test_it_does_not_wait_for_longer_than_it_may() -> None:
    """A `Retry-After` beyond its patience is told to the caller at once."""
    replies = [refusal(429, Retry_After="90")]
    with (
        saying(*replies) as service,
        service.client() as client,
        pytest.raises(Refused) as raised,
    ):
        client.estimate_churn("17850")
    assert (raised.value.retry_after, service.slept) == (90.0, [])


def test_what_is_wrong_is_told_at_once() -> None:
    """A refusal that does not pass is raised with its problem, and nothing is asked again."""
    body = refusal(422, INVALID.uri).body
    body["errors"] = [{"field": "k", "detail": "too large"}]
    replies = [Reply(422, body, {"X-Request-Id": "req_1"})]
    with (
        saying(*replies) as service,
        service.client() as client,
        pytest.raises(Refused, match="k: too large") as raised,
    ):
        client.recommend("17850", k=1_000)
    assert raised.value.problem.type == INVALID.uri
    assert (raised.value.request_id, len(service.asked)) == ("req_1", 1)


def test_a_refusal_that_is_no_problem_document_is_told_too() -> None:
    """What a proxy refuses with a page is raised with its status."""
    replies = [Reply(413, b"<html>too large</html>")]
    with (
        saying(*replies) as service,
        service.client() as client,
        pytest.raises(Refused) as raised,
    ):
        client.send_products([{"id": "1"}])
    assert (raised.value.problem.status, raised.value.problem.type) == (413, "about:blank")


def test_nobody_there_is_told_in_the_end() -> None:
    """Where nothing listens each try is made, and then it is said."""
    slept: list[float] = []
    address = f"http://127.0.0.1:{free_port()}"
    with (
        Client(address, "a key", Patience(tries=3), sleep=slept.append) as client,
        pytest.raises(NoAnswer, match="in 3 tries"),
    ):
        client.notices()
    assert len(slept) == 2


def test_an_answer_that_is_none_is_told() -> None:
    """JSON of another shape is no answer."""
    with (
        saying(Reply(200, {"decision_id": "dec_1"})) as service,
        service.client() as client,
        pytest.raises(NoAnswer, match="Recommendation"),
    ):
        client.recommend("17850")


def lines(*customer_ids: str) -> bytes:
    """Answers to them, a line each."""
    each = ({**ANSWER, "customer_id": one} for one in customer_ids)
    return b"".join(json.dumps(one).encode() + b"\n" for one in each)


def test_a_batch_that_breaks_off_goes_on_where_it_was() -> None:
    """The very same is sent again under the same key, so that each is answered once; lines that
    came are given once.
    """
    whole = Reply(200, lines("a", "b", "c"), {"Idempotent-Replayed": "true"})
    replies = [Reply(200, lines("a", "b"), broken=True), refusal(503), whole]
    with saying(*replies) as service, service.client() as client:
        came = [one.customer_id for one in client.recommend_all(["a", "b", "c"], k=1)]
    assert came == ["a", "b", "c"]
    assert [sent["customer_ids"] for _, _, sent in service.asked] == [["a", "b", "c"]] * 3
    assert len({headers["Idempotency-Key"] for _, headers, _ in service.asked}) == 1


def test_a_conflict_that_lasts_is_told_at_once() -> None:
    """A 409 for another reason is a refusal, whatever it says of later."""
    with (
        saying(refusal(409, Retry_After="1")) as service,
        service.client() as client,
        pytest.raises(Refused),
    ):
        client.recommend("17850")
    assert (len(service.asked), service.slept) == (1, [])


def test_a_batch_that_never_begins_is_told() -> None:
    """A stream that ends without a line is tried as often as patience lasts."""
    replies = [Reply(200, b"") for _ in range(3)]
    with (
        saying(*replies) as service,
        service.client() as client,
        pytest.raises(NoAnswer, match="3 times"),
    ):
        list(client.recommend_all(["a"]))


def test_more_than_fits_is_sent_in_parts() -> None:
    """Rows beyond 1,000 go in a second request; what was refused is told by its place among all."""
    second = {**ROWS, "rejected": [{"index": 4, "detail": "no"}]}
    with saying(Reply(202, ROWS), Reply(202, second)) as service, service.client() as client:
        told = client.send_transactions([{"id": str(one)} for one in range(1_005)])
    assert [len(sent["transactions"]) for _, _, sent in service.asked] == [1_000, 5]
    assert (told.accepted, told.rejected[0].index) == (2, 1_004)


def event(**told: Any) -> questions.Event:
    """Something shown a moment ago."""
    usual = {"decision_id": "dec_1", "kind": "shown", "occurred_at": datetime.now(UTC)}
    return questions.Event(**{**usual, **told})


@pytest.fixture
def asking(service) -> Iterator[Client]:
    """The client of the running service."""
    with Client(service.url, service.key) as client:
        yield client


def test_the_service_answers_it(asking: Client, pool) -> None:
    """Recommendations and estimates come as what they are, alone and in batches."""
    customer, other = pool.take(2)
    answer = asking.recommend(customer, k=3, explain="full")
    assert isinstance(answer, Recommendation)
    assert [item.rank for item in answer.items] == [1, 2, 3]
    explanation = answer.items[0].explanation
    assert explanation is not None
    added = sum(one.contribution for one in explanation.contributions or ())
    assert explanation.base_value is not None
    assert explanation.base_value + added == pytest.approx(answer.items[0].score)
    estimate = asking.estimate_churn(customer)
    assert isinstance(estimate, Churn)
    assert estimate.probability is not None
    first, nobody, last = asking.recommend_all([customer, " ", other], k=1)
    assert (first.customer_id, last.customer_id) == (customer, other)
    assert isinstance(nobody, LineProblem)
    assert [one.customer_id for one in asking.estimate_all_churn([other])] == [other]
    assert asking.decision(answer.decision_id, replay=True)["replay"] == {"identical": True}


def test_a_signal_of_the_browser_is_passed_on(asking: Client, pool) -> None:
    """Who asks not to be profiled is not."""
    answer = asking.recommend(pool.one(), k=1, privacy_signal=True)
    assert answer.not_personalized_because == "privacy_signal"


def test_consents_opt_outs_and_events_reach_the_service(asking: Client, pool) -> None:
    """What a customer said, does not want and did is there afterwards."""
    customer = pool.one()
    refused = [
        questions.Choice(purpose="recommendations", category=category, action="refused")
        for category in CATEGORIES
    ]
    receipts = asking.record_consents(customer, refused, method="web_form").receipts
    assert len(receipts) == len(CATEGORIES)
    state = {(one.purpose, one.category): one.allowed for one in asking.consents(customer).state}
    assert not any(state["recommendations", category] for category in CATEGORIES)
    assert asking.notices().purposes
    made = asking.opt_out(customer, "brand", "brand 1")
    assert [one.id for one in asking.opt_outs(customer).opt_outs] == [made.id]
    asking.take_back_opt_out(made.id)
    assert list(asking.opt_outs(customer).opt_outs) == []
    decision = asking.recommend(pool.one(), k=1)
    clicked = event(decision_id=decision.decision_id, kind="clicked")
    assert asking.send_events([clicked]).accepted == 1
    assert asking.send_events([clicked]).duplicate == 1


def test_a_request_that_is_sent_again_counts_once(asking: Client, pool) -> None:
    """The service gives the same answer to the same request, and a batch as it was."""
    customers = pool.take(2)
    body = {"customer_ids": customers, "k": 2}
    batch = asking._asking.request("POST", "/v1/recommendations/batch", body=body)
    first, again = ([*asking._asking.lines(batch)] for _ in range(2))
    assert first == again
    body = {"customer_id": customers[0], "scope": "brand", "value": "brand 2"}
    request = asking._asking.request("POST", "/v1/opt-outs", body=body)
    said = [asking._asking.answer(request) for _ in range(2)]
    assert said[0].content == said[1].content
    assert [one.headers.get("Idempotent-Replayed") for one in said] == [None, "true"]
    assert len(asking.opt_outs(customers[0]).opt_outs) == 1


def test_lists_of_products_are_kept_and_obeyed(asking: Client, pool) -> None:
    """A list is put, read, named in a request that says when it will be shown, and removed."""
    customer = pool.one()
    later = datetime.now(UTC) + timedelta(hours=1)
    first = asking.recommend(customer, k=1).items[0].product_id
    made = asking.put_list("of-the-client", [first])
    assert (made.name, made.products) == ("of-the-client", 1)
    assert asking.product_list("of-the-client").product_ids == (first,)
    assert "of-the-client" in [one.name for one in asking.product_lists()]
    answer = asking.recommend(customer, k=1, exclude_list="of-the-client", send_at=later)
    assert first not in [item.product_id for item in answer.items]
    asking.remove_list("of-the-client")
    with pytest.raises(Refused):
        asking.product_list("of-the-client")


def test_an_audience_comes_member_by_member(asking: Client) -> None:
    """Who may be written to comes typed, with the reason; nobody where the signal is passed on."""
    members = list(asking.audience("win_back", language="en"))
    assert members
    assert all(isinstance(one, Member) and one.reasons for one in members)
    assert list(asking.audience("win_back", privacy_signal=True)) == []
    with pytest.raises(Refused, match="no audience"):
        list(asking.audience("nobody"))


def test_an_audience_that_breaks_off_is_told() -> None:
    """It is not asked again, as each who came was recorded as given."""
    [member] = examples()["audience"].lines[:1]
    cut = Reply(200, json.dumps(member).encode() + b"\n", broken=True)
    with saying(cut) as service, service.client() as client:
        coming = client.audience("win_back")
        assert next(coming).customer_id == member["customer_id"]
        with pytest.raises(NoAnswer, match="recorded as given"):
            next(coming)
    assert len(service.asked) == 1


def test_a_visitor_of_a_consent_tool_joins_a_customer(asking: Client, pool) -> None:
    """What a consent tool says of a visitor is recorded, and the visitor becomes the customer."""
    visitor = f"visitor-{uuid4().hex}"
    states = {"personalization_storage": "granted"}
    message = {"customer_id": visitor, "states": states}
    (recorded,) = asking.pass_on_consent("cookie_banner", message).recorded
    assert (recorded.category, recorded.action) == ("location", "granted")
    customer = pool.one()
    assert not asking.join_visitor(customer, visitor).repeated
    assert asking.join_visitor(customer, visitor).repeated


@pytest.mark.parametrize(
    ("send", "row"),
    [
        (Client.send_products, {"product_id": "p90", "title": "A new mug"}),
        (Client.send_interactions, {"kind": "view", "product_id": "p01"}),
        (Client.send_transactions, {"order_id": "n1", "product_id": "p01", "amount": 5}),
    ],
    ids=["products", "interactions", "transactions"],
)
def test_rows_reach_the_service(
    asking: Client, pool, send: Callable[..., RowsAnswer], row: dict[str, Any]
) -> None:
    """Rows of each table are taken, and counted once."""
    now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    moment = {"send_interactions": "occurred_at", "send_transactions": "ordered_at"}
    row = {"id": f"of the client, {send.__name__}", **row}
    if named := moment.get(send.__name__):
        row |= {"customer_id": pool.one(), named: now}
    assert (send(asking, [row]).accepted, send(asking, [row]).duplicate) == (1, 1)


def test_a_refusal_of_the_service_is_raised(asking: Client) -> None:
    """A rule that is broken comes as its problem."""
    with pytest.raises(Refused) as raised:
        asking.opt_out("a customer", "brand")
    assert raised.value.problem.type == INVALID.uri
    assert raised.value.problem.errors[0].field == "value"
    assert raised.value.request_id
