"""What a service says of itself: readiness, counts of all workers, and what was not delivered."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from fastapi import APIRouter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import CollectorRegistry, Counter, generate_latest
from sqlalchemy import insert, select
from starlette.testclient import TestClient

from features import clock
from features.config.environment import Settings
from features.database.caller import Recorded, note_recorded
from features.database.tables import exposures, undelivered
from serving.decisions.undelivered import DECISION, Undelivered, undelivered_among
from serving.http.app import make_app
from serving.http.boundary.lane_route import LaneRoute
from serving.http.sight.worker_metrics import WorkerMetrics
from serving.live.assortment import Assortment
from serving.live.health import (
    Health,
    NotReady,
    check_data,
    check_database,
    check_disk,
    check_keys,
)

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def fail() -> None:
    """A part that does not work."""
    raise NotReady("It is broken. Mend it.")


def readiness(checks: dict, warnings: dict) -> tuple[int, dict]:
    """Status and document of `/readyz` with these checks."""
    app = make_app()
    app.state.sayso = SimpleNamespace(health=Health(checks, warnings))
    with TestClient(app) as client:
        answer = client.get("/readyz")
    return answer.status_code, answer.json()


def test_a_service_whose_parts_work_is_ready():
    """A warning does not keep requests away."""
    status, said = readiness({"disk": lambda: None}, {"data": fail})
    assert status == 200
    assert said == {
        "status": "ready",
        "reasons": {},
        "warnings": {"data": "It is broken. Mend it."},
    }


def test_a_service_with_a_fault_says_which():
    """It is 503 with the reasons by part; of an unexpected error stands its kind alone."""

    def surprise() -> None:
        raise ValueError("anna@example.org")

    status, said = readiness({"keys": fail, "database": surprise, "disk": lambda: None}, {})
    assert status == 503
    assert said["reasons"] == {
        "keys": "It is broken. Mend it.",
        "database": "It cannot be used (ValueError).",
    }


def test_a_part_that_does_not_come_back_is_named_in_time():
    """Nobody waits for what does not respond, and it is looked at by one thread alone."""
    go_on = threading.Event()
    health = Health({"database": lambda: go_on.wait(20) and None}, {})
    app = make_app()
    app.state.sayso = SimpleNamespace(health=health)
    with TestClient(app) as client:
        began = time.monotonic()
        answers = [client.get("/readyz") for _ in range(2)]
        took = time.monotonic() - began
        go_on.set()
    assert [one.status_code for one in answers] == [503, 503]
    assert answers[0].json()["reasons"] == {"database": "It does not respond."}
    assert took < 5
    health.close()


def test_the_database_the_disk_and_the_keys_are_looked_at(fresh_shop):
    """A good workspace has no fault; a missing key and a missing folder are faults, and looking
    makes neither anew.
    """
    workspace = fresh_shop.workspace
    check_database(fresh_shop.database)
    workspace.secret()
    workspace.master_keys.all()
    check_disk(workspace)
    check_keys(workspace)
    workspace.master_keys.file.unlink()
    with pytest.raises(NotReady, match=r"master\.keys"):
        check_keys(workspace)
    assert not workspace.master_keys.file.exists()
    with pytest.raises(NotReady, match="disk"):
        check_disk(replace(workspace, root=workspace.root / "gone"))


def test_old_data_is_told_and_fresh_data_is_not():
    """The newest moment may be a week old, or as old as the shop usually pauses."""
    fresh = Assortment(data_until=clock.to_text(NOW - timedelta(days=6)))
    old = Assortment(data_until=clock.to_text(NOW - timedelta(days=8)))
    slow = replace(old, usual_pause=timedelta(days=20))
    for good in (Assortment(), fresh, slow):
        check_data(good.old_record(NOW))
    with pytest.raises(NotReady, match="2026-02-21"):
        check_data(old.old_record(NOW))


def test_the_counts_of_all_workers_are_added_up(tmp_path, monkeypatch):
    """Each writes its own, those of one that has ended still count, and a file that is no use is
    passed over.
    """

    def worker(process: int, count: int) -> WorkerMetrics:
        monkeypatch.setattr(os, "getpid", lambda: process)
        registry = CollectorRegistry()
        Counter("made_up", "Made up.", ["route"], registry=registry).labels("/a").inc(count)
        made = WorkerMetrics(registry, tmp_path)
        made.look()
        return made

    worker(1, 5)
    mine = worker(2, 3)
    (tmp_path / str(os.getppid()) / "3.json").write_text("cut o")
    assert 'made_up_total{route="/a"} 8.0' in generate_latest(mine.together()).decode()


def test_counts_that_cannot_be_written_raise_and_leave_nothing(tmp_path):
    """Where there is no room the worker goes on, and no half file stays behind."""
    registry = CollectorRegistry()
    made = WorkerMetrics(registry, tmp_path)
    made.look()
    (file,) = made_files(tmp_path)
    file.unlink()
    file.mkdir()
    with pytest.raises(OSError):  # noqa: PT011 - as the system says it
        made.look()
    assert made_files(tmp_path) == [file]


def made_files(folder: Path) -> list[Path]:
    """What workers wrote."""
    return list((folder / str(os.getppid())).iterdir())


def test_what_was_not_delivered_is_marked_and_counts_for_no_cap(database):
    """A decision is marked and its exposure taken back, a consent is marked; twice is once."""
    row = {"decision_id": "dec_1", "customer": 1, "channel": "email", "shown_at": "x"}
    with database.write() as connection:
        connection.execute(insert(exposures).values(**row, places=1, explored=0))
    noted = Undelivered()
    for _ in range(2):
        noted.note([Recorded(DECISION, "dec_1"), Recorded("consent", "7")])
        noted.mark(database, lambda: NOW)
    with database.read() as connection:
        assert undelivered_among(connection, DECISION, ["dec_1", "dec_2"]) == {"dec_1"}
        assert len(connection.execute(select(undelivered)).all()) == 2
        assert not connection.execute(select(exposures)).all()


def test_a_caller_who_has_gone_is_noticed(sqlite_database):
    """What was recorded for one who closed the connection meanwhile is handed out to be marked."""
    app = make_app()
    router = APIRouter(route_class=LaneRoute)

    def record() -> None:
        with sqlite_database.write():
            note_recorded(DECISION, "dec_1")

    router.add_api_route("/own/record", record, methods=["POST"])
    app.router.routes[:0] = router.routes

    def asked(*, stays: bool) -> list[Recorded]:
        asyncio.run(called(app, "/own/record", stays=stays))
        return app.state.undelivered._noted

    assert asked(stays=True) == []
    assert asked(stays=False) == [Recorded(DECISION, "dec_1")]


async def called(app, path: str, *, stays: bool) -> None:
    """One request, whose sender closes the connection behind it or waits."""
    messages = [{"type": "http.request", "body": b"", "more_body": False}]
    messages += [] if stays else [{"type": "http.disconnect"}]

    async def receive() -> dict:
        if messages:
            return messages.pop(0)
        await asyncio.sleep(60)
        return {"type": "http.disconnect"}

    async def send(_message: dict) -> None:
        pass

    scope = {"type": "http", "method": "POST", "path": path, "raw_path": path.encode()}
    scope |= {"headers": [], "query_string": b"", "root_path": "", "client": ("127.0.0.1", 1)}
    await app(scope | {"server": ("x", 1), "scheme": "http", "http_version": "1.1"}, receive, send)


def test_a_span_is_named_by_its_route_and_belongs_to_the_callers_trace(monkeypatch):
    """It tells method, route, status and the request's name, and no address."""
    kept = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    monkeypatch.setattr("opentelemetry.trace.get_tracer", provider.get_tracer)
    trace = "a" * 32
    headers = {"traceparent": f"00-{trace}-{'b' * 16}-01", "X-Request-Id": "request-1"}
    with TestClient(make_app(Settings(traces=True))) as client:
        client.get("/pages/anna@example.org", headers=headers)
    (span,) = kept.get_finished_spans()
    assert span.name == "GET /pages/{name}"
    assert format(span.context.trace_id, "032x") == trace
    assert span.attributes["http.response.status_code"] in {404, 500}
    assert span.attributes["sayso.request_id"] == "request-1"
    assert "anna" not in span.to_json()
    assert span.end_time > span.start_time
