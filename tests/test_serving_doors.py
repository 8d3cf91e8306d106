"""What a key, a link and a code open, who is recorded, and what a revocation ends."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from urllib.parse import urlsplit

import httpx
import pytest
from sqlalchemy import select

from features.database.tables import audit_log, erasures, one_time_codes
from features.errors import NotFound
from serving.access.api_keys import KeyRefused, Keys
from serving.access.caller import Caller
from serving.access.key_uses import WRITTEN_EVERY, KeyUses
from serving.access.one_time_codes import LIFE, TRIES, GoodFor, OneTimeCodes
from serving.access.revocations import Revocations, Revoked
from serving.access.signed_links import LIFE as LINK_LIFE
from serving.access.signed_links import UNDONE_WITHIN, LinkRefused, Links, Page
from tests.serving_shop import FOR_ITEMS, NO_TLS, Client
from tests.test_serving_pages import switches

pytest_plugins = ["tests.serving_fixtures"]

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
STAFF = Caller("key:shop")


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.moment = BEGAN

    def __call__(self) -> datetime:
        """The moment that it shows."""
        return self.moment


@pytest.fixture
def hands() -> Clock:
    """A clock that is set by hand."""
    return Clock()


@pytest.fixture
def known(database) -> int:
    """A customer of the database who exists."""
    with database.write() as connection:
        connection.exec_driver_sql("INSERT INTO customers VALUES (7, 'ann')")
    return 7


@pytest.fixture
def with_scopes(service, served) -> Iterator[Callable[..., Client]]:
    """Makes callers of the service, each with a key of some scopes."""
    callers = []

    def made(*scopes: str) -> Client:
        _, secret = Keys(served.database).create(scopes, "narrow", "Nora")
        callers.append(Client(service.url, secret, service.links))
        return callers[-1]

    yield made
    for caller in callers:
        caller.http.close()


# ---- keys ----


def test_a_key_has_a_name_an_owner_and_an_end(database, hands):
    """It is good until the moment it ends, and the list tells all of it."""
    keys = Keys(database, hands)
    key, secret = keys.create(["score"], "crm", "Nora", BEGAN + timedelta(days=1))
    assert keys.find(secret) == key == keys.list()[0]
    assert (key.name, key.owner) == ("crm", "Nora")
    hands.moment += timedelta(days=1)
    assert keys.find(secret) is None
    assert keys.in_force(key.id) is None


@pytest.mark.parametrize("wrong", [{"name": " "}, {"name": "x" * 49}, {"owner": "a\nb"}])
def test_a_key_with_an_odd_name_is_refused(database, wrong):
    """A name or an owner that no record could hold makes no key."""
    with pytest.raises(KeyRefused):
        Keys(database).create(["score"], **wrong)


def test_a_key_that_has_ended_is_not_made(database, hands):
    """An end in the past is refused."""
    with pytest.raises(KeyRefused, match="past"):
        Keys(database, hands).create(["score"], expires_at=BEGAN)


def test_the_last_use_is_written_once_a_minute(database, hands, monkeypatch):
    """Noting a use writes nothing; a look writes what is due and then waits."""
    keys, written = Keys(database, hands), []
    key, _ = keys.create(["score"])
    uses = KeyUses(keys, hands)
    note_uses = keys.note_uses
    monkeypatch.setattr(keys, "note_uses", lambda ids: (written.append(ids), note_uses(ids)))
    for _ in range(3):
        uses.note(key.id)
        uses.look()
    assert written == [[key.id]]
    assert keys.list()[0].last_used_at == "2026-01-01T00:00:00.000000Z"
    hands.moment += WRITTEN_EVERY
    uses.look()
    assert len(written) == 2
    uses.look()
    assert len(written) == 2


def test_a_key_in_use_says_so(service, served):
    """The service writes down in the background when a key was used."""
    key, secret = Keys(served.database).create(["consent"])
    httpx.get(f"{service.url}/v1/notices", headers={"Authorization": f"Bearer {secret}"})
    ends = time.monotonic() + 10
    while Keys(served.database).in_force(key.id).last_used_at is None:
        assert time.monotonic() < ends
        time.sleep(0.1)


# ---- links ----


def test_a_clock_that_steps_back_leaves_fresh_links_good(hands):
    """A link that was made a minute from now is good, one from far ahead is not."""
    links = Links("secret", "", hands)
    token = links.path(Page.WHY, "dec_1").rsplit("/", 1)[1]
    hands.moment -= timedelta(minutes=1)
    assert links.read(Page.WHY, token).subject == "dec_1"
    hands.moment -= timedelta(hours=1)
    with pytest.raises(LinkRefused):
        links.read(Page.WHY, token)


@pytest.mark.parametrize("page", list(Page))
def test_each_link_has_its_own_life_and_no_longer_one(hands, page):
    """A link ends with the life of its page, whatever life was asked for."""
    links = Links("secret", "", hands)
    token = links.path(page, "7", life=timedelta(days=10_000)).rsplit("/", 1)[1]
    hands.moment += LINK_LIFE[page] - timedelta(seconds=1)
    assert links.read(page, token)
    hands.moment += timedelta(seconds=1)
    with pytest.raises(LinkRefused) as refused:
        links.read(page, token)
    assert refused.value.expired


def test_answers_hold_only_links_that_the_key_is_good_for(service, with_scopes, pool):
    """Without the scope `consent` no answer and no page of it has a link to the preferences."""
    customer = pool.one()
    narrow = with_scopes("recommend", "score", "explain")
    answers = [narrow.recommend(customer), narrow.churn(customer)]
    answers.append(narrow.answer(narrow.http.get(f"/v1/decisions/{answers[0]['decision_id']}")))
    assert [answer["preferences_url"] for answer in answers] == [None] * 3
    for answer in answers:
        page = service.page(answer["why_url"])
        assert page.status_code == 200
        assert "/preferences/" not in page.text
        panel = service.page(f"{answer['why_url']}/panel")
        assert "/preferences/" not in panel.text
    wide = with_scopes("recommend", "consent").recommend(customer)
    assert service.page(wide["preferences_url"]).status_code == 200


@pytest.mark.parametrize(
    "form",
    [
        {"purpose": FOR_ITEMS, "category": "spending", "action": "granted"},
        {"act": "allow_all"},
        {"act": "show", "id": "opt_1"},
        {"act": "undo", "change": "forged.forged"},
        {"act": "undo"},
    ],
)
def test_a_why_link_cannot_widen(service, pool, form):
    """What a preferences link may, a why link may not; it is refused and nothing changes."""
    customer = pool.one()
    address = service.recommend(customer)["why_url"]
    service.say(customer, FOR_ITEMS, "spending", "withdrawn")
    assert service.press(address, **form).status_code == 422
    assert "spending" in service.recommend(customer)["consent"]["withheld"]


@pytest.mark.parametrize("act", ["choices", "download", "erase"])
def test_a_link_alone_opens_no_data(service, pool, act):
    """Without a code, or with a wrong one, there is a form for the code and nothing else."""
    address = service.recommend(pool.one())["why_url"]
    for code in ({}, {"code": "AAAA-AAAA"}, {"code": ""}):
        page = service.press(address, act=act, **code)
        assert page.status_code == 403
        assert 'autocomplete="one-time-code"' in page.text


def undo_of(service: Client, address: str, **form: str) -> tuple[str, dict[str, str]]:
    """Press something on a why page; the button that takes it back."""
    sent = service.press(address, **form)
    assert sent.status_code == 303, sent.text
    (undo,) = switches(service.page(sent.headers["location"]).text, "undo")
    return undo.pop("address"), undo


def test_a_why_link_takes_its_own_change_back_and_no_other(service, pool):
    """Undo restores what the link stopped, under the notice that stood, once and while nobody said
    anything since; another link cannot.
    """
    customer = pool.one()
    address, other = (service.recommend(customer)["why_url"] for _ in range(2))
    stop = {"purpose": FOR_ITEMS, "category": "spending", "action": "withdrawn"}
    where, undo = undo_of(service, address, **stop)
    assert service.press(other, **undo).status_code == 422
    assert service.press(where, **undo).status_code == 303
    assert "spending" in service.recommend(customer)["consent"]["used"]
    service.say(customer, FOR_ITEMS, "spending", "withdrawn")
    assert service.press(where, **undo).status_code == 303
    assert "spending" in service.recommend(customer)["consent"]["withheld"]
    history = service.answer(service.http.get(f"/v1/customers/{customer}/consents"))["history"]
    acts = [(one["action"], one["actor"], one["method"]) for one in history[-3:]]
    assert acts == [
        ("withdrawn", "customer:why_link", "why_page"),
        ("granted", "customer:why_link", "why_page"),
        ("withdrawn", "key:crm", "test"),
    ]
    assert history[-2]["notice_version"] == "1"


def test_what_was_changed_long_ago_is_not_taken_back(hands):
    """After ten minutes a change cannot be taken back by its link."""
    links = Links("secret", "", hands)
    signed = links.change("x")
    hands.moment += UNDONE_WITHIN - timedelta(seconds=1)
    assert links.changed(signed) == "x"
    hands.moment += timedelta(seconds=1)
    assert links.changed(signed) is None
    assert links.changed(links.statement("x")) is None


def test_mail_checkers_may_ask_for_the_head(service, pool):
    """HEAD on a link is answered as GET is, without a body; it is 404 where that is."""
    answer = service.recommend(pool.one())
    for address in (answer["why_url"], answer["preferences_url"], f"{answer['why_url']}/panel"):
        head, page = (httpx.request(method, address, verify=NO_TLS) for method in ("HEAD", "GET"))
        assert (head.status_code, head.content) == (page.status_code, b"")
        assert head.headers["content-type"] == page.headers["content-type"]
    assert httpx.head(f"{service.url}/why/forged").status_code == 404


# ---- revocations ----


def test_links_end_one_by_one_by_customer_and_by_key(service, served, pool, with_scopes):
    """A revocation counts from the next request on and ends what it names and nothing else."""
    caller, keys = with_scopes("recommend", "consent"), Keys(served.database)
    key = keys.find(caller.key)
    mine, other = pool.take(2)

    def links(customer: str) -> list[str]:
        answer = caller.recommend(customer)
        return [answer["why_url"], answer["preferences_url"]]

    first, second, others = links(mine), links(mine), links(other)

    def opens(*addresses: str) -> list[bool]:
        return [service.page(address).status_code == 200 for address in addresses]

    def revoke(**what: str) -> int:
        return service.http.post("/v1/links/revocations", json=what).status_code

    assert revoke(link=first[0]) == 204
    assert opens(*first, *second) == [False, True, True, True]
    assert revoke(customer_id=mine) == 204
    assert opens(*first, *second, *others) == [False] * 4 + [True] * 2
    fresh = links(mine)
    assert opens(*fresh) == [True] * 2
    keys.revoke(key.id)
    assert opens(*fresh, *others) == [False] * 4
    assert service.press(others[1], act="stop_all").status_code == 410


@pytest.mark.parametrize(
    "wrong", [{}, {"link": "https://shop.example"}, {"link": "/why/forged"}, {"customer_id": "x"}]
)
def test_a_revocation_of_nothing_is_refused(service, wrong):
    """What names no link of ours and no customer is refused."""
    assert service.http.post("/v1/links/revocations", json=wrong).status_code in {404, 422}


def test_links_of_a_key_that_is_replaced_may_be_kept(database, hands):
    """A key can be revoked without its links; what is forgotten has long ended by itself."""
    keys, revocations = Keys(database, hands), Revocations(database, hands)
    kept, ended = (keys.create(["score"])[0] for _ in range(2))
    keys.revoke(kept.id, keep_links=True)
    keys.revoke(ended.id)
    assert [revocations.is_revoked(Revoked.KEY, key.id, BEGAN) for key in (kept, ended)] == [
        False,
        True,
    ]
    assert not revocations.is_revoked(Revoked.KEY, ended.id, BEGAN + timedelta(seconds=1))
    hands.moment += LINK_LIFE[Page.WHY] + timedelta(seconds=1)
    assert revocations.forget_old() == 1


# ---- codes ----


def test_a_code_is_used_once_within_its_time_for_its_own_page(database, hands, known):
    """However it is typed; not by another customer, for another page, later or again."""
    codes = OneTimeCodes(database, "secret", hands)

    def made(good_for: GoodFor | None = None) -> str:
        return codes.make(known, good_for, STAFF).code

    assert not codes.use(8, GoodFor.DATA, made())
    code = made(GoodFor.DATA)
    assert not codes.use(known, GoodFor.ERASURE, code)
    assert codes.use(known, GoodFor.DATA, f" {code.lower().replace('-', ' ')} ")
    assert not codes.use(known, GoodFor.DATA, code)
    old, new = made(), made()
    assert not codes.use(known, GoodFor.DATA, old)
    assert codes.use(known, GoodFor.ERASURE, new)
    late = made()
    hands.moment += LIFE
    assert not codes.use(known, GoodFor.DATA, late)
    with pytest.raises(NotFound):
        codes.make(8, None, STAFF)


def test_a_code_has_five_tries_and_is_not_stored(database, hands, known):
    """After so many wrong ones the right one is refused; the database holds a keyed digest."""
    codes = OneTimeCodes(database, "secret", hands)
    code = codes.make(known, None, STAFF).code
    with database.read() as connection:
        stored = str(connection.execute(select(one_time_codes)).all())
    assert code not in stored
    assert code.replace("-", "") not in stored
    for _ in range(TRIES - 1):
        assert not codes.use(known, GoodFor.DATA, "WRONG")
    assert OneTimeCodes(database, "another", hands).use(known, GoodFor.DATA, code) is False
    assert not codes.use(known, GoodFor.DATA, code)


def test_a_wish_for_a_code_waits_for_the_shop(service, pool):
    """A page asks for a code; the shop sees whose, makes one, and it is off the list; asking again
    at once is no second wish.
    """
    customer = pool.one()
    address = service.recommend(customer)["preferences_url"]
    for _ in range(2):
        sent = service.press(address, act="ask_code", wanted="download")
        assert "was told that you want a code" in service.page(sent.headers["location"]).text

    def wanted() -> list[tuple[str, str]]:
        found = service.answer(service.http.get("/v1/codes/wanted"))["wanted"]
        return [
            (one["customer_id"], one["good_for"]) for one in found if one["customer_id"] == customer
        ]

    assert wanted() == [(customer, "data")]
    service.answer(service.http.post(f"/v1/customers/{customer}/codes"), 201)
    assert wanted() == []


def test_a_code_opens_all_choices_from_a_why_link_for_a_while(service, pool):
    """The link that it leads to lives an hour, and its data and erasure ask for another code."""
    customer = pool.one()
    answer = service.recommend(customer)
    code = service.answer(service.http.post(f"/v1/customers/{customer}/codes"), 201)["code"]
    led = service.press(answer["why_url"], act="choices", code=code).headers["location"]
    assert service.page(led).status_code == 200
    link = service.links.read(Page.PREFERENCES, urlsplit(led).path.rsplit("/", 1)[1])
    assert link.expires_at - datetime.now(UTC) <= timedelta(hours=1)
    assert service.press(led, act="download", code=code).status_code == 403


# ---- at once ----


def at_once(count: int, call: Callable[[], httpx.Response]) -> list[httpx.Response]:
    """The same request so many times side by side."""
    with ThreadPoolExecutor(count) as callers:
        return list(callers.map(lambda _: call(), range(count)))


@pytest.mark.parametrize("which", ["why_url", "preferences_url"])
def test_twenty_presses_of_one_form_are_one_event(service, served, pool, which):
    """Whatever arrives together is written once."""
    customer = pool.one()
    address = service.recommend(customer)[which]
    pseudonym = served.customers.find(customer)
    before = len(served.ledger.history(pseudonym))
    form = {
        "purpose": FOR_ITEMS,
        "category": "spending",
        "action": "withdrawn",
        "once": "a-token-1",
    }
    sent = at_once(20, lambda: service.press(address, **form))
    assert {one.status_code for one in sent} == {303}
    assert len(served.ledger.history(pseudonym)) == before + 1


def test_eight_erasures_at_once_have_one_receipt(service, served, pool):
    """Each caller that was in time gets the same receipt, and one is kept."""
    customer = pool.one()
    pseudonym = served.customers.find(customer)
    sent = at_once(8, lambda: service.http.delete(f"/v1/customers/{customer}"))
    receipts = [one.json() for one in sent if one.status_code == 200]
    assert {one.status_code for one in sent} <= {200, 404}
    assert len({one["erasure_id"] for one in receipts}) == 1
    assert receipts[0]["requested_by"] == "key:crm"
    with served.database.read() as connection:
        kept = connection.execute(select(erasures).where(erasures.c.customer == pseudonym)).all()
    assert len(kept) == 1


# ---- what is recorded, and what is kept private ----


def test_every_read_is_in_the_audit_log(service, served, pool):
    """A read by a key or a link is recorded with who, what, whose and in which request."""
    customer = pool.one()
    answer = service.recommend(customer)
    for path in (
        f"/v1/decisions/{answer['decision_id']}",
        f"/v1/customers/{customer}/consents",
        f"/v1/customers/{customer}/opt-outs",
        f"/v1/customers/{customer}/export",
    ):
        response = service.http.get(path)
        assert response.status_code == 200
        assert response.headers["cache-control"] == "no-store"
    service.churn(customer)
    service.page(answer["why_url"])
    service.page(f"{answer['why_url']}/panel")
    service.page(answer["preferences_url"])
    query = select(audit_log).where(audit_log.c.customer == served.customers.find(customer))
    with served.database.read() as connection:
        rows = connection.execute(query.order_by(audit_log.c.at)).all()
    assert [(row.actor, row.kind) for row in rows] == [
        *(("key:crm", kind) for kind in ("recommendation", "decision", "consents", "opt-outs")),
        *(("key:crm", kind) for kind in ("export", "churn")),
        ("customer:why_link", "why page"),
        ("customer:why_link", "why panel"),
        ("customer:preferences_link", "preferences page"),
    ]
    assert all(row.request_id and row.key_id for row in rows)
    assert len({row.request_id for row in rows}) == len(rows)
    assert [row.link_id is None for row in rows] == [True] * 6 + [False] * 3
    assert all(earlier.at <= later.at for earlier, later in pairwise(rows))


def test_a_correction_of_many_lines_needs_a_wider_key(with_scopes, pool):
    """A key of scope `correct` puts one line right and is told how; one with `correct-bulk` all."""
    customer = pool.one()
    narrow = with_scopes("correct")
    wide = with_scopes("correct", "correct-bulk")
    path = f"/v1/customers/{customer}/corrections"
    many = {"field": "transactions.unit_price", "value": "3"}
    refused = narrow.http.post(path, json=many)
    assert refused.status_code == 403
    assert "order_id" in refused.json()["detail"]
    one = {"field": "customers.country", "value": "France"}
    assert narrow.answer(narrow.http.post(path, json=one), 201)["rows"] == 1
    assert wide.answer(wide.http.post(path, json=many), 201)["rows"] > 1


@pytest.mark.parametrize(
    ("origin", "status"),
    [("https://elsewhere.example", 401), ("null", 401), (None, 303), ("own", 303)],
)
def test_a_foreign_origin_does_not_sign_in(service, served, origin, status):
    """The console's login takes a form from a page of its own alone."""
    _, secret = Keys(served.database).create(["review"])
    headers = {} if origin is None else {"Origin": service.url if origin == "own" else origin}
    sent = httpx.post(f"{service.url}/console/login", data={"key": secret}, headers=headers)
    assert sent.status_code == status


def test_the_console_shows_who_read_what(service, served, pool):
    """The page lists reads with who, what, whose and the request."""
    customer = pool.one()
    service.recommend(customer)
    _, secret = Keys(served.database).create(["review"], "console", "Mia")
    with httpx.Client(base_url=service.url, follow_redirects=True) as staff:
        staff.post("/console/login", data={"key": secret})
        page = staff.get("/console/reads").text
    assert f"key:crm: recommendation of {customer}" in page
    assert "staff:Mia: audit log" in page
    assert re.search(r"req_[0-9a-f]{24}", page)
