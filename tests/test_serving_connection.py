"""Connections end in time, and what is no HTTP gets a problem document."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn

from features.config.environment import Settings
from serving.http.app import make_app
from serving.http.boundary import connection
from serving.http.boundary.connection import Connection

PATIENCE = 0.6
HEAD = b"POST /v1/churn HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """A server with little patience, without a shop behind it."""
    settings = Settings(request_seconds=PATIENCE, keep_alive_seconds=PATIENCE)
    with pytest.MonkeyPatch.context() as patch, socket.socket() as listening:
        patch.setattr(connection, "_settings", lambda: settings)
        patch.setattr(Connection, "ours", None)  # whatever a test of this process served before
        patch.setattr(Connection, "lanes", None)
        listening.bind(("127.0.0.1", 0))
        config = uvicorn.Config(
            make_app(settings), http=Connection, log_config=None, lifespan="off"
        )
        server = uvicorn.Server(config)
        running = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        running.start()
        while not server.started:
            time.sleep(0.01)
        yield listening.getsockname()[1]
        server.should_exit = True
        running.join()


def raw(port: int, sent: bytes, seconds: float) -> tuple[bytes, float]:
    """What comes back on a connection until it is closed, and after how long."""
    began, got = time.monotonic(), b""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as line:
        line.sendall(sent)
        try:
            while part := line.recv(65_536):
                got += part
        except ConnectionResetError:
            pass
    return got, time.monotonic() - began


def status(answer: bytes) -> int:
    """The status of an answer that has to be one problem document."""
    assert answer.count(b"HTTP/1.1 ") == 1, answer
    assert b"application/problem+json" in answer, answer
    return int(answer.split()[1])


@pytest.mark.parametrize(
    "sent",
    [b"", b"GET /livez HT", b"GET /livez HTTP/1.1\r\nHost: x\r\n"],
    ids=["nothing", "half a line", "half a head"],
)
def test_who_sends_no_request_is_closed(port, sent):
    """An idle connection and one with half a head end in time, without an answer."""
    answer, took = raw(port, sent, 5)
    assert answer == b""
    assert took < 3


def test_bytes_that_trickle_buy_no_time(port):
    """A byte now and then keeps no connection open."""
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), timeout=5) as line, pytest.raises(OSError):  # noqa: PT011 - however the system names a closed connection
        trickle(line, b"GET /livez HTTP/1.1\r\nX: " + b"x" * 100)
    assert time.monotonic() - began < 3


def trickle(line: socket.socket, sent: bytes) -> None:
    """Send byte after byte."""
    for byte in sent:
        line.sendall(bytes([byte]))
        time.sleep(0.1)


def test_half_a_request_after_a_whole_one_is_closed(port):
    """The next request on a connection has to arrive in time as well."""
    answer, took = raw(port, b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\nGET /li", 5)
    assert answer.startswith(b"HTTP/1.1 200")
    assert took < 3


def test_a_body_that_does_not_come_gets_408(port):
    """Its sender is told, and the connection ends."""
    answer, took = raw(port, HEAD + b"Content-Length: 100\r\n\r\n{", 30)
    assert status(answer) == 408
    assert took < 3


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (b"GET /a\nb HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 1_000_000 + b"\r\n\r\n", 431),
        (HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nhello", 400),
        (
            HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
            400,
        ),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nno length\r\n", 400),
        (b"\x16\x03\x01 what is this\r\n\r\n", 400),
    ],
    ids=["newline", "large head", "both lengths, bad", "both lengths", "bad chunk", "TLS"],
)
def test_what_is_no_http_gets_one_problem_document(port, sent, expected):
    """Exactly one answer, in the shape of all refusals."""
    assert status(raw(port, sent, 5)[0]) == expected


def test_many_idle_connections_do_not_keep_others_out(port):
    """While hundreds of connections do nothing, a request is answered."""
    lines = [socket.create_connection(("127.0.0.1", port)) for _ in range(500)]
    answer, took = raw(port, b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 5)
    for line in lines:
        line.close()
    assert answer.startswith(b"HTTP/1.1 200")
    assert took < 1
