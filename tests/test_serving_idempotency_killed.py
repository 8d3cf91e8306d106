"""A named request is carried out once though its service is killed in the middle of it."""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from sqlalchemy import func, select

from features.database.tables import decisions, exposures, kept_answers, opt_outs
from features.shop.shop import Shop
from features.shop.workspace import Workspace
from serving.access.api_keys import Keys
from serving.server import free_port, running
from tests.serving_shop import CATEGORIES, copied, sharing

pytest_plugins = ["tests.serving_fixtures"]
pytestmark = pytest.mark.slow

REQUESTS, AT_ONCE = 80, 8
SECONDS_UNTIL_KILLED = 0.2


def kill_service() -> None:
    """Kill every process of the service that this process started, without a word."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            pid, rest = int(stat.parent.name), stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        session = int(rest[3])
        if session != os.getsid(0) and parent_of(session) == os.getpid():
            os.kill(pid, signal.SIGKILL)


def parent_of(pid: int) -> int:
    """The process that started another one; 0 where that is gone."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def test_every_request_is_carried_out_once_though_the_service_is_killed(
    trained_root, tmp_path_factory
):
    """Of eighty requests with keys, sent again after the service was killed among them, each
    has one decision or one opt-out, and one answer however often it is asked for.
    """
    folder = tmp_path_factory.mktemp("killed")
    workspace = Workspace.open(copied(trained_root, folder / "shop"))
    shop = Shop(workspace)
    _, secret = Keys(shop.database).create(["all"])
    people = sharing(*CATEGORIES)

    def send(url: str, number: int) -> bytes | None:
        customer, key = people[number % len(people)], {"Idempotency-Key": f"request {number}"}
        if number % 4:
            path, body = "/v1/recommendations", {"customer_id": customer, "k": 2}
        else:
            path = "/v1/opt-outs"
            body = {"customer_id": customer, "scope": "brand", "value": f"made up {number}"}
        try:
            answer = http.post(f"{url}{path}", json=body, headers=key)
        except httpx.HTTPError:
            return None
        return answer.content if answer.is_success else None

    def send_all(url: str) -> list[bytes | None]:
        return list(threads.map(lambda number: send(url, number), range(REQUESTS)))

    headers = {"Authorization": f"Bearer {secret}"}
    port, log = free_port(), folder / "service.log"
    with httpx.Client(headers=headers, timeout=5) as http, ThreadPoolExecutor(AT_ONCE) as threads:
        with running(workspace, port, log) as url, ThreadPoolExecutor(1) as beside:
            sent = beside.submit(send_all, url)
            time.sleep(SECONDS_UNTIL_KILLED)
            kill_service()
            before = sent.result()
        with running(workspace, port, log) as url:
            again, once_more = send_all(url), send_all(url)
    assert 0 < before.count(None) < REQUESTS
    by_place = list(zip(before, again, once_more, strict=True))
    # an opt-out changes where its customer stands, after which decisions of before stay in
    choices = by_place[::4]
    assert all(two is not None and two == three for _, two, three in choices)
    assert all(one in {None, two} for one, two, _ in choices)
    decided = [one for at, one in enumerate(by_place) if at % 4]
    assert all(len({*one} - {None}) <= 1 for one in decided)
    with shop.database.read() as connection:
        count = {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (decisions, exposures, opt_outs, kept_answers)
        }
    asked = REQUESTS - REQUESTS // 4
    assert count == {
        "decisions": asked,
        "exposures": asked,
        "opt_outs": REQUESTS // 4,
        "kept_answers": REQUESTS,
    }
    shop.database.close()
