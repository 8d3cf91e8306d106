"""The shop is told that a customer waits for a code: signed, once, again where it failed, and to no
address that it should not reach.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from features.config.environment import Env, Settings
from features.shop.faults import faults
from features.shop.shop import Shop
from features.shop.workspace import Workspace
from serving.access.code_calls import FIRST_WAIT, CodeCalls
from serving.access.one_time_codes import WANTED_FOR, GoodFor, OneTimeCodes
from serving.access.signed_calls import CallFailed, SignedCalls
from serving.bootstrap import assemble, code_calls_of

SECRET = "0123456789" * 4
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Receiver:
    """A server of the shop that takes calls, and answers each with `status`."""

    status: int = 204
    calls: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}/sayso?shop=mugs"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver that listens on a port of its own."""
    told = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            told.calls.append(({"path": self.path, **dict(self.headers.items())}, body))
            self.send_response(told.status)
            self.send_header("Location", "/elsewhere")
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        told.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield told
        server.shutdown()
        thread.join()


class Hands:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.moment = BEGAN

    def __call__(self) -> datetime:
        """The moment that it shows."""
        return self.moment

    def seconds(self) -> float:
        """The same in seconds."""
        return (self.moment - BEGAN).total_seconds()

    def forward(self, seconds: float) -> None:
        """Let time pass."""
        self.moment += timedelta(seconds=seconds)


@pytest.fixture
def hands() -> Hands:
    """A clock that is set by hand."""
    return Hands()


@pytest.fixture
def codes(database, hands) -> OneTimeCodes:
    """Codes of customers, of whom Ann waits for one."""
    with database.write() as connection:
        connection.exec_driver_sql("INSERT INTO customers VALUES (7, 'ann')")
    made = OneTimeCodes(database, "secret", hands)
    assert made.ask(7, GoodFor.DATA)
    return made


def calls_of(codes: OneTimeCodes, receiver: Receiver, hands: Hands) -> CodeCalls:
    """A worker that tells the receiver."""
    return CodeCalls(codes, SignedCalls(receiver.url, SECRET, careful=False), hands, hands.seconds)


def test_the_call_says_who_waits_and_for_what_and_is_signed(codes, receiver, hands):
    """The receiver can recompute the signature from what it got; a changed body gives another."""
    calls_of(codes, receiver, hands).look()
    ((head, body),) = receiver.calls
    assert json.loads(body) == {
        "event": "code wanted",
        "customer_id": "ann",
        "good_for": "data",
        "wanted_at": codes.wanted()[0].wanted_at,
    }
    assert head["path"] == "/sayso?shop=mugs"
    assert head["Sayso-Timestamp"] == str(int(BEGAN.timestamp()))
    signed = f"{head['Sayso-Timestamp']}.".encode() + body
    expected = hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
    assert head["Sayso-Signature"] == f"sha256={expected}"


def test_workers_together_tell_it_once(codes, receiver, hands):
    """However often and in however many workers it is looked for, one code is one call."""
    workers = [calls_of(codes, receiver, hands) for _ in range(3)]
    for _ in range(3):
        threads = [threading.Thread(target=worker.look) for worker in workers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(receiver.calls) == 1
    assert codes.wanted(untold=True) == []
    assert len(codes.wanted()) == 1


@pytest.mark.parametrize("status", [500, 404, 302])
def test_a_call_that_is_not_taken_is_sent_again_later_and_later(
    codes, receiver, hands, status, caplog
):
    """After each failure it waits twice as long, and the log names nobody; it is the same delivery
    when it comes.
    """
    receiver.status, worker = status, calls_of(codes, receiver, hands)
    for wait in (FIRST_WAIT, 2 * FIRST_WAIT):
        before = len(receiver.calls)
        worker.look()
        assert len(receiver.calls) == before + 1
        hands.forward(wait - 0.5)
        worker.look()
        assert len(receiver.calls) == before + 1
        hands.forward(1.0)
    assert len(codes.wanted(untold=True)) == 1
    receiver.status = 200
    worker.look()
    assert codes.wanted(untold=True) == []
    assert len({head["Sayso-Delivery"] for head, _ in receiver.calls}) == 1
    assert "ann" not in caplog.text
    assert str(status) in caplog.text


def test_nobody_is_told_of_a_code_that_nobody_waits_for(codes, receiver, hands):
    """A receiver that was away for too long hears nothing of it any more."""
    hands.forward(WANTED_FOR.total_seconds() + 1)
    calls_of(codes, receiver, hands).look()
    assert receiver.calls == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "10.1.2.3", "169.254.169.254", "[::1]"])
def test_an_address_within_is_refused_in_production(host):
    """The machine itself, its network and the cloud's metadata are not called, unless named."""
    with pytest.raises(CallFailed, match="own network"):
        SignedCalls(f"https://{host}:9/", SECRET, careful=True).send({}, BEGAN)


def test_a_named_host_is_called_and_plain_http_never(receiver):
    """Naming a host lets a call through to it; production speaks https alone."""
    named = SignedCalls("https://localhost:9/", SECRET, careful=True, named=["localhost"])
    with pytest.raises(CallFailed, match="did not arrive"):
        named.send({}, BEGAN)
    with pytest.raises(CallFailed, match="https"):
        SignedCalls(receiver.url, SECRET, careful=True, named=["127.0.0.1"]).send({}, BEGAN)
    assert receiver.calls == []


def stated(shop: Shop, url: str, **settings: object) -> Workspace:
    """The workspace with the address of a receiver in its sayso.toml."""
    file = shop.workspace.root / "sayso.toml"
    file.write_text(f'{file.read_text()}\n[webhooks]\ncode_wanted = "{url}"\n')
    return Workspace.open(shop.workspace.root, Settings(**settings))


def test_a_service_that_cannot_sign_says_so(fresh_shop, receiver):
    """An address without a secret is a fault, and nothing is sent; with one, it is none."""
    workspace = stated(fresh_shop, receiver.url)
    (fault,) = faults(workspace, fresh_shop.database)
    assert "SAYSO_WEBHOOK_SECRET" in fault
    shop = Shop(workspace)
    assert code_calls_of(shop, OneTimeCodes(shop.database, "secret")) is None
    shop.database.close()
    sound = Workspace.open(workspace.root, Settings(webhook_secret=SECRET))
    assert faults(sound, fresh_shop.database) == []


def test_the_service_tells_the_shop_in_the_background(fresh_shop, receiver):
    """What a page asked for is told by the service's own watch, which no request waits for."""
    sayso = assemble(stated(fresh_shop, receiver.url, webhook_secret=SECRET), "")
    customer, id = next(iter(sayso.shop.customers.all().items()))
    sayso.codes.ask(customer, GoodFor.ERASURE)
    sayso.watch.look()
    sayso.close()
    ((_, body),) = receiver.calls
    assert (json.loads(body)["customer_id"], json.loads(body)["good_for"]) == (id, "erasure")


def test_production_is_careful(fresh_shop, receiver):
    """In production the service does not call its own machine."""
    url = receiver.url.replace("http:", "https:")
    workspace = stated(fresh_shop, url, webhook_secret=SECRET, env=Env.PRODUCTION)
    sayso = assemble(workspace, "https://mugs.example")
    sayso.codes.ask(next(iter(sayso.shop.customers.all())), GoodFor.DATA)
    sayso.watch.look()
    assert len(sayso.codes.wanted(untold=True)) == 1
    sayso.close()
    assert receiver.calls == []
