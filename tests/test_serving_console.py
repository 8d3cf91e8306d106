"""The staff's console: closed to everybody without the right key, and what it shows and does for
those who have one.
"""

from __future__ import annotations

import html
import logging
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from sqlalchemy import select

from features.clock import to_text
from features.database.tables import audit_log
from serving.access.api_keys import Keys
from serving.access.audit_log import AuditLog
from serving.access.caller import Caller
from serving.access.console_sessions import COOKIE, LASTS, Sessions
from serving.access.revocations import Revocations
from serving.webhooks.event import Event, EventKind
from serving.webhooks.outbox import Outbox
from serving.webhooks.queue import Queue
from tests.serving_shop import CANARY, SCRIPT
from tests.test_serving_review_routes import ask

pytest_plugins = ["tests.serving_fixtures"]

PAGES = (
    "/console",
    "/console/decisions",
    "/console/consents",
    "/console/calls",
    "/console/search",
    "/console/reviews/rev_0",
    "/console/decisions/dec_0",
)
POSTS = ("/console/search", "/console/reviews/rev_0", "/console/logout")


@pytest.fixture
def browser(service) -> Iterator[httpx.Client]:
    """Somebody without a session, who keeps cookies and follows redirects."""
    with httpx.Client(base_url=service.url, timeout=30.0, follow_redirects=True) as client:
        yield client


@pytest.fixture
def staff(browser, served) -> httpx.Client:
    """Somebody who has signed in."""
    _, secret = Keys(served.database).create(["review", "correct"], "console", "Mia")
    assert "Reviews" in browser.post("/console/login", data={"key": secret}).text
    return browser


def token(page: httpx.Response) -> str:
    """The token in the forms of a page."""
    return re.findall(r'name="form_token" value="(\w+)"', page.text)[0]


def press(staff: httpx.Client, path: str, **form: str) -> httpx.Response:
    """Send a form of the console."""
    return staff.post(path, data={"form_token": token(staff.get("/console")), **form})


@pytest.mark.parametrize("path", PAGES)
def test_nothing_is_shown_without_a_session(browser, path):
    """Every page of the console asks a stranger to sign in, whether what it is about exists or
    not.
    """
    page = browser.get(path)
    assert page.status_code == 401
    assert 'name="key"' in page.text
    assert "form_token" not in page.text


@pytest.mark.parametrize("path", POSTS)
def test_nothing_is_done_without_a_session(browser, path):
    """No form is taken from a stranger."""
    assert browser.post(path, data={"form_token": "x"}).status_code == 401


@pytest.mark.parametrize(
    "scopes", [["recommend", "score", "explain", "ingest", "consent", "privacy"], None]
)
def test_a_key_without_the_scope_opens_nothing(browser, served, scopes):
    """A key for everything but reviews, and one that is not known, sign nobody in."""
    secret = Keys(served.database).create(scopes)[1] if scopes else "sayso_made-up"
    page = browser.post("/console/login", data={"key": secret})
    assert page.status_code == 401
    assert not browser.cookies
    assert secret not in page.text


def test_the_cookie_is_kept_from_scripts_and_other_sites(service, served):
    """It is HttpOnly, SameSite=Strict, for the console alone and for an hour, does not hold the
    key, and is Secure behind https.
    """
    keys = Keys(served.database)
    _, secret = keys.create(["review"])
    response = httpx.post(f"{service.url}/console/login", data={"key": secret})
    cookie = response.headers["set-cookie"].lower()
    for part in (
        f"{COOKIE}=",
        "httponly",
        "samesite=strict",
        "path=/console",
        f"max-age={int(LASTS.total_seconds())}",
    ):
        assert part in cookie
    assert secret.lower() not in cookie
    assert "secure" not in cookie
    assert Sessions(keys, Revocations(served.database), "s", secure=True).secure


def test_a_sign_in_from_another_site_is_refused(browser, served):
    """A form on somebody else's page cannot sign a member of staff in."""
    _, secret = Keys(served.database).create(["review"])
    assert (
        browser.post(
            "/console/login", data={"key": secret}, headers={"Sec-Fetch-Site": "cross-site"}
        ).status_code
        == 401
    )


def test_a_session_ends(database):
    """A cookie is good for an hour, for its own secret, untouched, and while its key is in force
    and has the scope.
    """
    began = datetime(2026, 1, 1, tzinfo=UTC)
    moment = [began]
    keys, revocations = (made(database, lambda: moment[0]) for made in (Keys, Revocations))
    key, secret = keys.create(["review"])

    def made(signed_with: str) -> Sessions:
        return Sessions(keys, revocations, signed_with, secure=False, clock=lambda: moment[0])

    sessions = made("secret")
    cookie = sessions.begin(f" {secret}\n")
    assert cookie is not None
    assert sessions.staff(cookie).key.id == key.id
    for wrong in (None, "", "x", cookie[:-2] + "xx", cookie.swapcase(), "WyJhIl0.x.y"):
        assert sessions.staff(wrong) is None
    assert made("another").staff(cookie) is None
    for late, held in (
        (LASTS - timedelta(seconds=5), True),
        (LASTS + timedelta(seconds=5), False),
        (timedelta(minutes=-1), True),
    ):
        moment[0] = began + late
        assert (sessions.staff(cookie) is not None) is held
    moment[0] = began
    sessions.end(sessions.staff(cookie))
    assert sessions.staff(cookie) is None
    cookie = sessions.begin(secret)
    assert sessions.staff(cookie) is not None
    keys.revoke(key.id)
    assert sessions.staff(cookie) is None
    assert sessions.begin(secret) is None


@pytest.mark.parametrize("form_token", [None, "", "0" * 64, "ü"])
def test_a_form_of_another_page_is_refused(staff, form_token):
    """Without the token of this session no form does anything."""
    form = {} if form_token is None else {"form_token": form_token}
    assert staff.post("/console/search", data={**form, "customer_id": "x"}).status_code == 403


def test_the_token_of_one_session_is_good_in_no_other(staff, service, served):
    """Two sessions of the same key have different tokens."""
    _, secret = Keys(served.database).create(["review"])
    with httpx.Client(base_url=service.url, follow_redirects=True) as other:
        other.post("/console/login", data={"key": secret})
        foreign = token(other.get("/console"))
    assert (
        staff.post("/console/search", data={"form_token": foreign, "customer_id": "x"}).status_code
        == 403
    )


def test_signing_out_closes_the_console(staff):
    """After signing out the browser has no cookie, a copy of it opens nothing, and the console asks
    for a key again.
    """
    copy = dict(staff.cookies)
    assert press(staff, "/console/logout").status_code == 401
    assert not staff.cookies
    assert staff.get("/console").status_code == 401
    staff.cookies.update(copy)
    assert staff.get("/console").status_code == 401


@pytest.mark.parametrize("path", PAGES[:5])
def test_every_page_is_private_and_loads_nothing_from_elsewhere(staff, path):
    """Pages carry the headers of the customers' pages, no script, no style of their own and no
    foreign address.
    """
    page = staff.get(path)
    assert page.status_code == 200
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["referrer-policy"] == "no-referrer"
    assert not re.findall(r"https?://|<script|style=|\son\w+=", page.text)


def test_a_field_is_offered_to_be_put_right_to_who_may(staff, browser, service, served, pool):
    """Where the key does not have the scope `correct`, the page does not ask for a correction."""
    review = ask(service, service.recommend(pool.one(), k=1), "No.")
    asks = "Put a field right"
    assert asks in staff.get(f"/console/reviews/{review['id']}").text
    _, secret = Keys(served.database).create(["review"], "console", "Ann")
    browser.cookies.clear()
    browser.post("/console/login", data={"key": secret})
    page = browser.get(f"/console/reviews/{review['id']}").text
    assert "Record this outcome" in page
    assert asks not in page
    assert 'name="field"' not in page


def test_a_review_is_resolved_from_the_queue(staff, service, pool):
    """The queue leads to the review, which shows what the customer wrote and was told; the outcome
    is recorded and confirmed.
    """
    decision = service.recommend(pool.one(), k=3)
    review = ask(service, decision, SCRIPT)
    assert f'href="/console/reviews/{review["id"]}"' in staff.get("/console").text
    page = staff.get(f"/console/reviews/{review['id']}")
    text = html.unescape(page.text)
    assert "<script" not in page.text
    assert SCRIPT in text
    for item in decision["items"]:
        assert item["title"] in text
        assert all(reason["text"] in text for reason in item["explanation"]["reasons"])
    product = decision["items"][1]["product_id"]
    form = {
        "outcome": "overridden",
        "suppress": product,
        "reason": "You are right.",
    }
    done = press(staff, f"/console/reviews/{review['id']}", **form)
    assert "was overridden" in done.text
    assert product not in [
        item["product_id"] for item in service.recommend(decision["customer_id"], k=100)["items"]
    ]
    assert "You are right." in staff.get(f"/console/reviews/{review['id']}").text
    assert press(staff, f"/console/reviews/{review['id']}", **form).status_code == 409


def test_a_band_set_in_the_console_holds_to_the_end_of_its_day(staff, service, pool):
    """The day that is chosen is included."""
    estimate = service.churn(pool.one())
    review = ask(service, estimate)
    wanted = "high" if estimate["band"] != "high" else "low"
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    form = {
        "outcome": "overridden",
        "band": wanted,
        "band_until": today,
        "reason": "No.",
    }
    assert press(staff, f"/console/reviews/{review['id']}", **form).status_code == 200
    after = service.churn(estimate["customer_id"])
    assert after["band"] == wanted
    assert after["band_set_by_review"]["until"] > today


@pytest.mark.parametrize(
    "fault",
    [
        {"outcome": ""},
        {"outcome": "open"},
        {"outcome": "overridden"},
        {"reason": " "},
        {"outcome": "overridden", "band": "low", "band_until": "soon"},
        {"outcome": "overridden", "band": "low", "band_until": "9999-12-31"},
        {"outcome": "overridden", "field": "customers.country"},
        {"outcome": "overridden", "field": "customers.mood", "value": "x"},
    ],
)
def test_a_refused_outcome_comes_back_as_it_was_filled(staff, service, contested, fault):
    """What is wrong is said, and nothing that was written is lost."""
    form = {"outcome": "upheld", "reason": "A long <b>reason</b>"} | fault
    page = press(staff, f"/console/reviews/{contested['id']}", **form)
    assert page.status_code == 422
    assert 'role="alert"' in page.text
    assert "<b>" not in page.text
    assert fault.get("reason", form["reason"]).strip() in html.unescape(page.text)
    assert service.answer(service.http.get("/v1/reviews", params={"most": 500}))["open"]


@pytest.fixture(scope="module")
def contested(service, pool) -> dict:
    """An open review of an estimate."""
    return ask(service, service.churn(pool.one()))


def test_a_customer_is_found_by_their_id(staff, service, pool):
    """Consents, opt-outs and decisions of the customer are shown, and of nobody else."""
    customer, other = pool.take(2)
    decision, foreign = service.recommend(customer), service.recommend(other)
    service.opt_out(customer, "brand", "brand 6")
    page = press(staff, "/console/search", customer_id=f" {customer} ")
    assert page.status_code == 200
    assert decision["decision_id"] in page.text
    assert "brand 6" in page.text
    assert foreign["decision_id"] not in page.text
    assert str(page.url).endswith("/console/search")
    assert press(staff, "/console/search", customer_id="nobody").status_code == 404


def test_the_decisions_of_today_are_counted_and_listed(staff, service, pool):
    """A new decision is the first of the list, and its page shows what the customer was told."""
    decision = service.churn(pool.one())
    listed = re.findall(r"/console/decisions/(dec_\w+)", staff.get("/console/decisions").text)
    assert decision["decision_id"] in listed[:5]
    page = html.unescape(staff.get(f"/console/decisions/{decision['decision_id']}").text)
    assert f"{round(100 * decision['probability'])} in 100" in page
    assert all(reason["text"] in page for reason in decision["explanation"]["reasons"])


def test_consents_are_counted_as_the_ledger_has_them(staff, served):
    """The number beside each category is that of the grants in force."""
    page = staff.get("/console/consents").text
    for purpose in served.config.catalog.purposes:
        granted = served.ledger.granted(purpose)["category"].value_counts()
        for category in served.config.catalog.askable(purpose):
            assert f"{granted.get(category, 0):,} of" in page


def test_calls_that_were_not_taken_are_listed_and_name_nobody(staff, served, pool):
    """Staff see how often, why and when again, and no customer."""
    customer = served.customers.pseudonym(pool.one())
    event = Event(EventKind.REVIEW_RESOLVED, to_text(served.clock()), {"review_id": "r"}, customer)
    later = timedelta(hours=2)  # so that the service itself does not make the call before
    queue = Queue(served.database, lambda: served.clock() + later)
    with served.database.write() as connection:
        due = to_text(served.clock() + later)
        Outbox.of(served).put(connection, [(event, "whk_test")], due)
    (due,) = [one for one in queue.due(500, []) if one.event_id == event.id]
    queue.failed(due, "the call was answered with 500", timedelta(hours=1))
    page = staff.get("/console/calls").text
    assert event.id in page
    assert "the call was answered with 500" in page
    assert CANARY not in page
    queue.taken(due)


@pytest.mark.parametrize("path", ["/console/reviews/rev_0", "/console/decisions/dec_0"])
def test_what_is_not_there_is_not_found(staff, path):
    """An id that does not exist gives a page that says so."""
    assert staff.get(path).status_code == 404


def test_looks_are_recorded_with_whose_data_it_was(staff, service, served, pool):
    """Each look is in the database with key, kind and moment; where it was at somebody, the
    customer may read that.
    """
    customer = pool.one()
    press(staff, "/console/search", customer_id=customer)
    with served.database.read() as connection:
        rows = connection.execute(
            select(audit_log).where(audit_log.c.customer == served.customers.find(customer))
        ).all()
    assert [row.kind for row in rows] == ["customer"]
    looks = service.answer(service.http.get(f"/v1/customers/{customer}/export"))[
        "who_read_your_data"
    ]
    assert looks[0]["key_id"] == rows[0].key_id
    assert [look["actor"] for look in looks] == ["staff:Mia", looks[1]["actor"]]
    assert looks[1]["kind"] == "export"


def test_no_log_line_names_a_customer(fresh_shop, staff, server_log, caplog):
    """A look is logged with the key and its kind; neither that line nor what the server prints
    holds an id.
    """
    press(staff, "/console/search", customer_id=f"{CANARY}somebody")
    assert CANARY not in server_log.read_text()
    with caplog.at_level(logging.INFO, "sayso.audit"):
        AuditLog(fresh_shop.database).read(Caller("key:crm", "key_1"), "customer", 123_456_789)
    assert "key:crm" in caplog.text
    assert "123456789" not in caplog.text
