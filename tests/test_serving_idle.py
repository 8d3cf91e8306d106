"""Connections on which nothing comes hold nobody up, and end."""

from __future__ import annotations

import socket
import time
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest

from features.config.environment import Settings
from tests.serving_shop import CATEGORIES, sharing

pytest_plugins = ["tests.serving_fixtures"]

WHO = sharing(*CATEGORIES)[-1]


@pytest.mark.slow
def test_a_thousand_idle_connections_hold_nobody_up_and_end(service):
    """While a thousand callers connect and say nothing, others are answered; the service closes
    every one of them in time and answers as before.
    """
    where = urlsplit(service.url)
    with ExitStack() as open_lines:
        began = time.monotonic()
        lines = [
            open_lines.enter_context(socket.create_connection((where.hostname, where.port)))
            for _ in range(1_000)
        ]
        for _ in range(5):
            asked = time.monotonic()
            assert service.recommend(WHO)["decision_id"]
            assert time.monotonic() - asked < 3
            assert service.http.get("/livez").status_code == 200
        assert all(_is_open(line) for line in lines)  # so it was answered beside all of them
        ends = began + Settings().request_seconds + 10
        for line in lines:
            line.settimeout(max(0.1, ends - time.monotonic()))
            assert line.recv(1) == b""
    assert service.recommend(WHO)["decision_id"]


def _is_open(line: socket.socket) -> bool:
    line.setblocking(False)
    try:
        return bool(line.recv(1))
    except BlockingIOError:
        return True
