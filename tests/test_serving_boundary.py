"""What surrounds every route: bodies are bounded, requests take turns, refusals say when to ask
again, and connections end in time.
"""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from fastapi import APIRouter
from sqlalchemy.exc import OperationalError
from starlette.testclient import TestClient

from features.config.environment import Settings
from features.database.caller import Caller, CallerGone, note_recorded, serving
from features.database.engine import Database, Patience
from features.database.turns import DatabaseBusy, WriteTurns
from serving.http.app import make_app
from serving.http.boundary.bodies import (
    FREE_BYTES,
    LISTS,
    PIECE_SECONDS,
    PLAIN,
    Pace,
    check_shape,
    read,
    room_for,
)
from serving.http.boundary.lane_route import LaneRoute
from serving.http.boundary.lanes import Lane, in_thread
from serving.http.boundary.limits import Rate
from serving.http.boundary.problems import MOST_ERRORS, Refused, problem
from serving.http.sight.logs import JsonLines, log_failure
from serving.http.sight.request_ids import request_id_for

PROBLEM = "application/problem+json"
PIECE = 16_000
"""Bytes of a body that arrive at a time."""


def service(settings: Settings | None = None, **routes: Callable) -> TestClient:
    """A client of the application, without a shop behind it, with routes of the test's own."""
    app = make_app(settings)
    router = APIRouter(route_class=LaneRoute)
    for name, endpoint in routes.items():
        router.add_api_route(f"/own/{name}", endpoint, methods=["GET", "POST"])
    app.router.routes[:0] = router.routes
    return TestClient(app)


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 17 + b"]" * 17,
        b'{"a": [' + b",".join([b"1"] * 3_000) + b"]}",
        b"{" + b",".join(b'"%d": 1' % number for number in range(90)) + b"}",
    ],
    ids=["deep", "many values", "many names"],
)
def test_a_body_is_bounded_before_it_is_read(body):
    """Depth, values and names are counted on the bytes."""
    with pytest.raises(Refused):
        check_shape(body, LISTS)


def test_what_stands_in_texts_does_not_count():
    """Commas, colons and brackets in a text are part of the text."""
    body = json.dumps({"value": ',:[{"\\' * 5_000}).encode()
    for end in (len(body), 20_000, 20_001):  # a part of it may have arrived
        check_shape(body[:end], PLAIN)


def test_large_bodies_come_in_turn():
    """Who sends much waits for each piece, together with all others; who sends little does not."""

    async def seconds(size: int, senders: int) -> float:
        pace, began = Pace(), time.monotonic()
        await asyncio.gather(*(received(pace, size) for _ in range(senders)))
        return time.monotonic() - began

    async def received(pace: Pace, size: int) -> bytes:
        left = [b" " * PIECE] * (size // PIECE)

        async def receive() -> dict:
            return {"type": "http.request", "body": left.pop(), "more_body": bool(left)}

        app = SimpleNamespace(state=SimpleNamespace(pace=pace))
        return await read({"path": "/v1/events", "headers": [], "app": app}, receive, 60.0)

    free = FREE_BYTES // PIECE
    assert asyncio.run(seconds(free * PIECE, 500)) < PIECE_SECONDS * 500
    assert asyncio.run(seconds(10 * PIECE, 4)) >= PIECE_SECONDS * (4 * (9 - free) - 1)


def test_counting_a_large_body_takes_little_time():
    """A megabyte of wrong elements is refused in a moment."""
    body = b'{"exclude": [' + b",".join([b"1"] * 490_000) + b"]}"
    began = time.perf_counter()
    with pytest.raises(Refused):
        check_shape(body, LISTS)
    assert time.perf_counter() - began < 0.05


def test_the_login_takes_a_tiny_body():
    """A key needs no megabyte, and it is refused before it is read as a form."""
    assert room_for("/console/login").bytes < room_for("/console/search").bytes
    answer = service().post("/console/login", data={"key": "x" * 5_000})
    assert (answer.status_code, answer.headers["content-type"]) == (413, PROBLEM)


def test_a_compressed_body_is_not_unpacked():
    """A gzip bomb stays packed: it gets 415."""
    answer = service().post("/v1/churn", content=b"x", headers={"Content-Encoding": "gzip"})
    assert (answer.status_code, answer.headers["content-type"]) == (415, PROBLEM)


def test_a_problem_names_twenty_faults_at_most():
    """However much is wrong, the answer stays small."""
    answer = problem(422, "no", [("x" * 10_000, "y" * 10_000)] * 1_000)
    assert len(json.loads(answer.body)["errors"]) == MOST_ERRORS
    assert len(answer.body) < 20_000


def test_a_known_path_names_its_methods():
    """PUT where POST is taken gets 405 with `Allow`; a path that is nowhere gets 404."""
    client = service()
    answer = client.put("/v1/recommendations")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert answer.headers["content-type"] == PROBLEM
    assert client.put("/v1/nowhere").status_code == 404


@pytest.mark.parametrize("path", ["/a%0Ab", "/a%00b"])
def test_odd_paths_get_a_problem_document(path):
    """Newlines and NULs in a path are nothing special."""
    answer = service().get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (404, PROBLEM)


def test_whoever_looks_after_a_service_may_ask_for_heads_alone():
    """`HEAD /livez` is answered as `GET` is."""
    client = service()
    assert [client.request(method, "/livez").status_code for method in ("GET", "HEAD")] == [200] * 2


def test_who_finds_no_turn_is_told_when_to_come_again():
    """While all threads are busy and the queue is full, others get 429 with `Retry-After`, and
    what needs no thread is answered.
    """
    go_on = threading.Event()
    client = service(Settings(threads=1, queue=1), wait=lambda: go_on.wait(5))
    with client:
        callers = [threading.Thread(target=client.get, args=("/own/wait",)) for _ in range(2)]
        for caller in callers:
            caller.start()
        time.sleep(0.3)
        refused = client.get("/own/wait")
        style = client.get("/pages/sayso.css")
        go_on.set()
        for caller in callers:
            caller.join()
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
    assert refused.headers["content-type"] == PROBLEM
    assert style.status_code == 200


def test_an_answer_that_takes_too_long_is_given_up():
    """It gets 503 in time, and the thread keeps its turn until it is done."""
    go_on = threading.Event()
    settings = Settings(threads=1, queue=1, answer_seconds=0.2)
    with service(settings, wait=lambda: go_on.wait(5)) as client:
        began = time.monotonic()
        late = client.get("/own/wait")
        assert time.monotonic() - began < 2
        assert (late.status_code, "retry-after" in late.headers) == (503, True)
        assert client.get("/own/wait").status_code in {429, 503}
        go_on.set()
        time.sleep(0.1)
        assert client.get("/own/wait").status_code == 200


def test_threads_are_bounded():
    """However many ask, no more than the lane's threads work."""

    async def ask() -> int:
        lane, seen = Lane("tests", 2, 50, 5.0), set()

        async def one() -> None:
            async with lane.place():
                await in_thread(lambda: (seen.add(threading.get_ident()), time.sleep(0.01)))

        await asyncio.gather(*(one() for _ in range(40)))
        lane.close()
        return len(seen)

    assert asyncio.run(ask()) <= 2


def test_a_rate_lets_a_burst_through_and_then_counts():
    """So many at once, then one after the other, each name for itself."""
    rate = Rate(per_second=1.0, burst=3.0)
    assert [rate.take("a", 0.0) > 0 for _ in range(4)] == [False, False, False, True]
    assert rate.take("b", 0.0) == 0
    assert rate.take("a", 1.0) == 0


def test_nothing_is_written_for_who_gave_up(database):
    """A transaction whose caller gave up is rolled back, and what is committed all the same is
    handed out.
    """
    caller = Caller(1.0)
    with serving(caller):
        with database.write():
            note_recorded("decision", "one")
        assert [one.reference for one in caller.take_recorded()] == ["one"]
        caller.give_up()
        with pytest.raises(CallerGone), database.write():
            note_recorded("decision", "two")
    assert caller.take_recorded() == []


def test_a_lock_held_elsewhere_is_waited_for_in_bounds(database):
    """Another connection writes and does not end: the wait ends in an error, in time."""
    hurried = Database(database.url, Patience(lock=0.3, statement=2.0, connections=2))
    with database.write():
        began = time.monotonic()
        with pytest.raises(OperationalError), hurried.write():
            pass
        assert time.monotonic() - began < 2
    with hurried.write():
        pass
    hurried.close()


def test_who_is_urgent_writes_first():
    """Of those who wait, the urgent one is next; who waits for too long is told."""
    turns, order = WriteTurns(), []
    held = threading.Event()

    def take(name: str, *, urgent: bool) -> None:
        with turns.take(5.0, urgent=urgent):
            order.append(name)

    with turns.take(1.0, urgent=False):
        waiting = [
            threading.Thread(target=take, args=(n,), kwargs={"urgent": u})
            for n, u in (("first", False), ("urgent", True))
        ]
        for thread in waiting:
            thread.start()
            held.wait(0.1)
        with pytest.raises(DatabaseBusy), turns.take(0.05, urgent=True):
            pass
    for thread in waiting:
        thread.join()
    assert order == ["urgent", "first"]


def test_a_request_is_named_in_and_out():
    """A well-formed name and trace are taken over; anything else gets new ones."""
    client = service()
    trace = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
    given = client.get("/livez", headers={"X-Request-Id": "abc-12345", "traceparent": trace})
    assert given.headers["x-request-id"] == "abc-12345"
    assert given.headers["traceparent"].startswith("00-" + "a" * 32)
    made = client.get("/livez", headers={"X-Request-Id": "anna@example.org", "traceparent": "x"})
    assert made.headers["x-request-id"].startswith("req_")
    assert request_id_for([]).text != request_id_for([]).text


def test_a_log_line_tells_kind_and_place_and_nothing_else(caplog):
    """Of an error stand its kind and where it arose, never its text; the same is said once."""
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            try:
                check_shape(b"[" * 20, PLAIN)
            except Refused as error:
                log_failure("it failed", error, route="/v1/churn")
    (record,) = caplog.records
    said = json.loads(JsonLines().format(record))
    assert (said["fault"], said["route"], said["level"]) == ("Refused", "/v1/churn", "error")
    assert said["where"].startswith("serving/http/boundary/bodies.py:")
    assert "nested" not in json.dumps(said)


def test_a_database_that_does_not_answer_is_told_with_503():
    """Whatever the driver raises, the answer says when to ask again and none of its text."""

    def fail() -> None:
        raise OperationalError("SELECT secret", {}, ValueError("database is locked"))

    answer = service(fail=fail).get("/own/fail")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert answer.headers["content-type"] == PROBLEM
    assert "secret" not in answer.text


def test_metrics_are_behind_a_setting():
    """Switched off they are not there."""
    client = service(Settings(metrics=False))
    client.app.state.sayso = SimpleNamespace()
    assert client.get("/metrics").status_code == 404


def test_wrong_keys_wait_and_are_refused_in_the_end():
    """The first are answered at once, later ones late, and at last with 429; a good key passes."""
    client = service(Settings(failures_per_minute=8))
    keys = SimpleNamespace(find=lambda _secret: None)
    client.app.state.sayso = SimpleNamespace(keys=keys)
    said = {"headers": {"Authorization": "Bearer wrong"}}
    got = [client.get("/v1/models", **said) for _ in range(10)]
    assert [one.status_code for one in got] == [401] * 8 + [429] * 2
    assert int(got[-1].headers["retry-after"]) >= 1
