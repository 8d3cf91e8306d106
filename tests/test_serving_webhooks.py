"""The shop's programs are told what happened: signed, at least once, again where it failed, and at
no address that they should not reach.
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
from sqlalchemy import select

from features.clock import to_text
from features.config.environment import Env, Settings
from features.config.schema import Webhooks
from features.consent.event import ConsentEvent
from features.customers.vault import Vault
from features.database.tables import webhook_calls
from features.errors import NotFound
from features.shop.faults import faults
from features.shop.shop import Shop
from features.shop.workspace import Workspace
from models.registry import CHAMPION, Entry, Registry, Version
from serving.access.caller import AT_COMMAND_LINE
from serving.access.one_time_codes import WANTED_FOR, GoodFor, OneTimeCodes
from serving.bootstrap import assemble
from serving.rights.rights import Rights
from serving.webhooks import addresses
from serving.webhooks.addresses import AddressRefused, Rules, is_public
from serving.webhooks.courier import FIRST_WAIT, LONGEST_WAIT, Courier, wait_after
from serving.webhooks.event import TRIED_FOR, Event, EventKind
from serving.webhooks.outbox import Outbox
from serving.webhooks.queue import CLAIMED_FOR, FAILURES_KEPT, Queue, forget_old_calls
from serving.webhooks.signed_calls import CallFailed, SignedCalls
from serving.webhooks.targets import IN_CONFIG, MOST, NotSigned, Targets, TooManyWebhooks

SECRET = "0123456789" * 4
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Receiver:
    """A server of the shop that takes calls, and answers each with `status`, but for those to paths
    that begin with `refusing`.
    """

    status: int = 204
    refusing: str | None = None
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
            refused = told.refusing is not None and self.path.startswith(told.refusing)
            self.send_response(500 if refused else told.status)
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


class House:
    """A database whose webhooks are called, with Ann in it."""

    def __init__(self, database, masters, hands: Hands, stated: Webhooks | None = None) -> None:
        self.database, self.vault, self.hands = database, Vault(database, masters), hands
        options = {"signed": True, "production": False, "now": hands}
        self.targets = Targets(database, self.vault, stated or Webhooks(), **options)
        self.outbox, self.queue = Outbox(self.vault, self.targets), Queue(database, hands)
        with database.write() as connection:
            connection.exec_driver_sql("INSERT INTO customers VALUES (7, 'ann')")

    def courier(self) -> Courier:
        """A worker that makes the calls, whose waits are whole ones."""
        calls = (SignedCalls(SECRET), self.hands, self.hands.seconds, lambda: 1.0)
        return Courier(self.database, self.vault, self.targets, *calls)

    def note(self, kind: EventKind = EventKind.REVIEW_RESOLVED) -> Event:
        """Something happened to Ann."""
        event = Event(kind, to_text(self.hands()), {"customer_id": "ann", "review_id": "r"}, 7)
        with self.database.write() as connection:
            self.outbox.note(connection, event)
        return event

    def rows(self) -> list:
        """The calls as they are kept."""
        with self.database.read() as connection:
            return list(connection.execute(select(webhook_calls)).all())


@pytest.fixture
def house(sqlite_database, masters, hands, receiver) -> House:
    """One whose receiver asked for everything, from a host that is named."""
    made = House(sqlite_database, masters, hands, Webhooks(private_hosts=("127.0.0.1",)))
    made.targets.add(receiver.url, list(EventKind), "key:crm")
    return made


@pytest.fixture
def wanted(database, masters, hands, receiver) -> House:
    """One in which sayso.toml alone states an address, and Ann waits for a code."""
    made = House(database, masters, hands, Webhooks(code_wanted=receiver.url))
    made.codes = OneTimeCodes(database, "secret", hands, made.outbox)
    assert made.codes.ask(7, GoodFor.DATA)
    return made


def test_the_call_says_who_waits_and_for_what_and_is_signed(wanted, receiver):
    """The receiver can recompute the signature from what it got; a changed body gives another."""
    (row,) = wanted.rows()
    wanted.courier().look()
    ((head, body),) = receiver.calls
    moment = wanted.codes.wanted()[0].wanted_at
    assert json.loads(body) == {
        "event": "code wanted",
        "event_id": row.event_id,
        "occurred_at": moment,
        "customer_id": "ann",
        "good_for": "data",
        "wanted_at": moment,
    }
    assert head["path"] == "/sayso?shop=mugs"
    assert head["Sayso-Timestamp"] == str(int(BEGAN.timestamp()))
    assert head["Sayso-Delivery"] == row.event_id
    signed = f"{head['Sayso-Timestamp']}.".encode() + body
    expected = hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
    assert head["Sayso-Signature"] == f"sha256={expected}"


def test_workers_together_tell_it_once(wanted, receiver):
    """However often and in however many workers it is looked for, one code is one call."""
    workers = [wanted.courier() for _ in range(3)]
    for _ in range(3):
        threads = [threading.Thread(target=worker.look) for worker in workers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(receiver.calls) == 1
    assert wanted.rows() == []
    assert len(wanted.codes.wanted()) == 1


@pytest.mark.parametrize("status", [500, 404, 302])
def test_a_call_that_is_not_taken_is_sent_again_later_and_later(wanted, receiver, status, caplog):
    """After each failure it waits twice as long, and the log names nobody; it is the same delivery
    when it comes. A redirect is not followed.
    """
    receiver.status, worker, hands = status, wanted.courier(), wanted.hands
    for wait in (FIRST_WAIT, 2 * FIRST_WAIT):
        before = len(receiver.calls)
        worker.look()
        assert len(receiver.calls) == before + 1
        hands.forward(wait - 0.5)
        worker.look()
        assert len(receiver.calls) == before + 1
        hands.forward(1.0)
    (failed,) = wanted.queue.failures()
    assert (failed.tries, failed.webhook_id) == (2, IN_CONFIG)
    receiver.status = 200
    worker.look()
    assert wanted.rows() == []
    assert len({head["Sayso-Delivery"] for head, _ in receiver.calls}) == 1
    assert {head["path"] for head, _ in receiver.calls} == {"/sayso?shop=mugs"}
    assert "ann" not in caplog.text
    assert str(status) in caplog.text


def test_nobody_is_told_of_a_code_that_nobody_waits_for(wanted, receiver):
    """A receiver that was away for too long hears nothing of it any more, nor one that comes after
    the code was made.
    """
    receiver.status, worker = 500, wanted.courier()
    worker.look()
    wanted.hands.forward(WANTED_FOR.total_seconds() - FIRST_WAIT)
    worker.look()
    receiver.status = 200
    wanted.hands.forward(LONGEST_WAIT)
    worker.look()
    assert len(receiver.calls) == 2
    assert wanted.codes.ask(7, GoodFor.ERASURE)
    wanted.codes.make(7, None, AT_COMMAND_LINE)
    worker.look()
    assert len(receiver.calls) == 2


def test_waits_are_scattered_and_bounded():
    """Half of a wait is drawn by lot, so that what failed together comes back one after another."""
    assert [wait_after(1, 0.0), wait_after(1, 1.0)] == [FIRST_WAIT / 2, FIRST_WAIT]
    assert wait_after(5, 1.0) == 16 * FIRST_WAIT
    assert wait_after(500, 1.0) == LONGEST_WAIT


def test_a_call_is_kept_sealed_until_it_was_taken_and_forgotten_then(house, receiver):
    """What it says stands nowhere in the database as it is, and nothing stays of it."""
    event = house.note()
    (row,) = house.rows()
    assert b"ann" not in bytes(row.content)
    assert (row.customer, row.event_id) == (7, event.id)
    house.courier().look()
    assert json.loads(receiver.calls[0][1]) == event.document()
    assert house.rows() == []


def test_a_worker_that_was_killed_while_calling_loses_nothing(house, receiver):
    """What it had claimed is made by another one after a minute; until then by nobody."""
    house.note()
    (due,) = house.queue.due(10, [])
    assert house.queue.claim(due)
    assert not house.queue.claim(due)
    house.courier().look()
    assert receiver.calls == []
    house.hands.forward(CLAIMED_FOR.total_seconds() + 1)
    house.courier().look()
    assert len(receiver.calls) == 1


def test_a_receiver_that_is_away_does_not_hold_up_another(house, receiver):
    """Of two addresses the one that answers is told at once, and the other is asked once."""
    house.targets.add(f"http://127.0.0.1:{receiver.port}/other", list(EventKind), "key:crm")
    receiver.refusing = "/sayso"
    for _ in range(3):
        house.note()
    worker = house.courier()
    worker.look()
    paths = [head["path"].partition("?")[0] for head, _ in receiver.calls]
    assert (paths.count("/sayso"), paths.count("/other")) == (1, 3)
    receiver.refusing = None
    house.hands.forward(2 * FIRST_WAIT)
    worker.look()
    assert house.rows() == []


def test_one_call_that_is_never_taken_does_not_hold_up_those_after_it(house, receiver):
    """What failed least often goes first."""
    poisoned = house.note()
    receiver.status, worker = 500, house.courier()
    worker.look()
    receiver.status = 204
    house.note()
    house.note()
    house.hands.forward(FIRST_WAIT + 0.1)
    worker.look()
    delivered = [json.loads(body)["event_id"] for _, body in receiver.calls]
    assert delivered[0] == delivered[-1] == poisoned.id
    assert house.rows() == []


def test_what_is_given_up_is_listed_without_what_it_said_and_forgotten_in_the_end(house, receiver):
    """After three days the content goes, the line stays for a month."""
    event = house.note()
    receiver.status, worker = 500, house.courier()
    worker.look()
    house.hands.forward(TRIED_FOR[event.kind].total_seconds())
    worker.look()
    (row,), (failed,) = house.rows(), house.queue.failures()
    assert (row.content, row.customer) == (None, None)
    assert (failed.event_id, failed.tries, failed.next_at) == (event.id, 2, None)
    assert failed.because == "the call was answered with 500"
    house.hands.forward(LONGEST_WAIT)
    worker.look()
    assert len(receiver.calls) == 2
    later = house.hands() + FAILURES_KEPT
    assert forget_old_calls(house.database, later - timedelta(hours=2)) == 0
    assert forget_old_calls(house.database, later) == 1


def test_an_address_that_was_removed_is_told_nothing(house, receiver):
    """Its calls go with it."""
    house.note()
    (target,) = house.targets.all()
    house.targets.remove(target.id)
    assert house.rows() == []
    house.note()
    house.courier().look()
    assert receiver.calls == []
    with pytest.raises(NotFound):
        house.targets.remove(target.id)


def test_who_did_not_ask_for_an_event_is_not_told_of_it(house, receiver):
    """Each address hears of what it named."""
    (everything,) = house.targets.all()
    house.targets.remove(everything.id)
    house.targets.add(receiver.url, [EventKind.ERASED], "key:crm")
    house.note()
    assert house.rows() == []


WITHIN = ("127.0.0.1", "localhost", "10.1.2.3", "169.254.169.254", "[::1]", "2130706433", "0x7f.1")
IN_OTHER_WORDS = ("[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "0.0.0.0")  # noqa: S104 - refused


@pytest.mark.parametrize("host", [*WITHIN, *IN_OTHER_WORDS])
def test_an_address_within_is_refused(host):
    """The machine itself, its network and the cloud's metadata are neither taken nor called, in
    whatever form they are written, unless named; also where there is no production.
    """
    url = f"https://{host}:9/"
    for rules in (Rules(), Rules(only_https=False)):
        with pytest.raises(AddressRefused, match="own network"):
            rules.check(url)
    with pytest.raises(CallFailed, match="own network"):
        SignedCalls(SECRET).send(url, Rules(), {}, "evt_1", BEGAN)


def test_an_address_that_is_refused_is_not_kept(house):
    """Nothing half-done stays behind."""
    with pytest.raises(AddressRefused, match="own network"):
        house.targets.add("http://10.1.2.3/", [EventKind.ERASED], "key:crm")
    assert len(house.targets.all()) == 1


@pytest.mark.parametrize(
    "address", ["224.0.0.1", "240.0.0.1", "fe80::1%eth0", "fc00::1", "100.64.0.1"]
)
def test_what_is_no_address_of_the_internet_is_not_public(address):
    """Groups, links and shared networks are within, too."""
    assert not is_public(address)


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:4700::1111", "64:ff9b::5db8:d70e"])
def test_addresses_of_the_internet_are_public(address):
    """Others are not refused."""
    assert is_public(address)


def test_a_name_that_leads_within_only_later_is_refused_then(house, receiver, monkeypatch):
    """What a name leads to is looked at for each call, and all of it counts."""
    (standing,) = house.targets.all()
    house.targets.remove(standing.id)
    leads_to = [[(2, 1, 6, "", ("93.184.215.14", 80))]]
    monkeypatch.setattr(addresses.socket, "getaddrinfo", lambda *_, **__: leads_to[-1])
    house.targets.add("http://crm.example/sayso", list(EventKind), "key:crm")
    leads_to.append([*leads_to[0], (2, 1, 6, "", ("127.0.0.1", receiver.port))])
    house.note()
    house.courier().look()
    (failed,) = house.queue.failures()
    assert "own network" in failed.because


@pytest.mark.parametrize(
    "url",
    [
        "crm.example",
        "ftp://crm.example/",
        "http://",
        "http://a b/",
        "https://u:p@crm.example/",
        "https://crm.example:99999/",
        "https://[::1/",
        f"https://{'a' * 70}.example/",
    ],
)
def test_what_is_no_address_is_refused(url):
    """It says how one is written, or what may not be in it."""
    with pytest.raises(AddressRefused):
        Rules().check(url)


def test_a_named_host_is_called_and_plain_http_never(receiver):
    """Naming a host lets a call through to it; production speaks https alone."""
    named, calls = Rules(named=["localhost"]), SignedCalls(SECRET)
    with pytest.raises(CallFailed, match="did not arrive"):
        calls.send("https://localhost:9/", named, {}, "evt_1", BEGAN)
    with pytest.raises(CallFailed, match="https"):
        calls.send(receiver.url, Rules(named=["127.0.0.1"]), {}, "evt_1", BEGAN)
    assert receiver.calls == []


def test_there_are_no_more_addresses_than_may_be_and_none_without_a_secret(house, receiver):
    """Both are refused with what to do."""
    house.targets = Targets(
        house.database,
        house.vault,
        Webhooks(private_hosts=("127.0.0.1",)),
        signed=False,
        production=False,
        now=house.hands,
    )
    with pytest.raises(NotSigned, match="SAYSO_WEBHOOK_SECRET"):
        house.targets.add(receiver.url, [EventKind.ERASED], "key:crm")
    house.targets._signed = True
    for _ in range(MOST - 1):
        house.targets.add(receiver.url, [EventKind.ERASED], "key:crm")
    with pytest.raises(TooManyWebhooks):
        house.targets.add(receiver.url, [EventKind.ERASED], "key:crm")


def told(receiver: Receiver) -> list[dict]:
    """What the receiver was told, without what differs each time."""
    return [json.loads(body) for _, body in receiver.calls]


def test_consents_erasures_and_champions_are_told_from_then_on(fresh_shop, receiver):
    """Whatever the program that wrote them, each address hears of it from where it was left; of who
    was erased it hears that alone, and nothing of them stays.
    """
    file = fresh_shop.workspace.root / "sayso.toml"
    file.write_text(f'{file.read_text()}\n[webhooks]\nprivate_hosts = ["127.0.0.1"]\n')
    workspace = Workspace.open(fresh_shop.workspace.root, Settings(webhook_secret=SECRET))
    shop = Shop(workspace, fresh_shop.clock)
    kinds = [EventKind.CONSENT_CHANGED, EventKind.MODEL_PROMOTED, EventKind.ERASED]
    Targets.of(shop).add(receiver.url, kinds, "key:crm")
    courier = Courier.of(shop)
    courier.look()
    assert receiver.calls == []
    customer, other = list(shop.customers.all().values())[:2]
    said = (customer, "recommendations", "location", "withdrawn", "web_form")
    receipt = shop.ledger.append(ConsentEvent(*said))
    version = Version("churn", "4", "run", fresh_shop.clock(), {}, {}, {})
    Registry(shop.database, workspace.models).add(Entry(version, None, (CHAMPION,)))
    courier.look()
    consent, promoted = sorted(told(receiver), key=lambda one: one["event"])
    assert (promoted["event"], promoted["model"], promoted["version"]) == (
        "model promoted",
        "churn",
        "4",
    )
    assert {name: consent[name] for name in ("event", "customer_id", "ledger_seq", "action")} == {
        "event": "consent changed",
        "customer_id": customer,
        "ledger_seq": receipt.seq,
        "action": "withdrawn",
    }
    shop.ledger.append(ConsentEvent(other, "recommendations", "location", "refused", "web_form"))
    courier._following.look()
    erased = Rights(shop).erase(other)
    assert {store["store"]: store["found_before"] for store in erased["stores"]}[
        "calls to the shop's programs"
    ] == 1
    receiver.calls.clear()
    courier.look()
    (only,) = told(receiver)
    assert (only["event"], only["customer_id"], only["erasure_id"]) == (
        "erased",
        other,
        erased["erasure_id"],
    )
    with shop.database.read() as connection:
        assert connection.execute(select(webhook_calls)).all() == []
    shop.database.close()


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
    assert Courier.of(shop) is None
    OneTimeCodes(shop.database, "secret", outbox=Outbox.of(shop)).ask(
        next(iter(shop.customers.all())), GoodFor.DATA
    )
    with shop.database.read() as connection:
        assert connection.execute(select(webhook_calls)).all() == []
    shop.database.close()
    sound = Workspace.open(workspace.root, Settings(webhook_secret=SECRET))
    assert faults(sound, fresh_shop.database) == []


def test_the_service_tells_the_shop_in_the_background(fresh_shop, receiver):
    """What a page asked for is told by the service's own watch, which no request waits for."""
    sayso = assemble(stated(fresh_shop, receiver.url, webhook_secret=SECRET), "")
    customer, id = next(iter(sayso.shop.customers.all().items()))
    sayso.codes.ask(customer, GoodFor.ERASURE)
    sayso.calls.look()
    sayso.close()
    ((_, body),) = receiver.calls
    assert (json.loads(body)["customer_id"], json.loads(body)["good_for"]) == (id, "erasure")


def test_production_is_careful(fresh_shop, receiver):
    """In production the service does not call its own machine."""
    url = receiver.url.replace("http:", "https:")
    workspace = stated(fresh_shop, url, webhook_secret=SECRET, env=Env.PRODUCTION)
    sayso = assemble(workspace, "https://mugs.example")
    sayso.codes.ask(next(iter(sayso.shop.customers.all())), GoodFor.DATA)
    sayso.calls.look()
    assert [one.tries for one in sayso.queue.failures()] == [1]
    sayso.close()
    assert receiver.calls == []
