"""The customers' pages over HTTP: they show what was used, switch it off, and open to nobody
else.
"""

from __future__ import annotations

import base64
import html
import json
import random
import re
import string
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from serving.access.signed_links import LIFE, Links, Page
from tests.serving_shop import CATEGORIES, FOR_CHURN, FOR_ITEMS, NO_TLS, SCRIPT

pytest_plugins = ["tests.serving_fixtures"]

LABELS = {
    "purchases": "What you bought",
    "order_times": "When you ordered",
    "spending": "How much you spent",
    "location": "Where you live",
}
NOT_AGREED = "You did not agree to these"
SAFE = string.ascii_letters + string.digits + "-_."
MUTATIONS = 300


def assert_safe(page: httpx.Response) -> None:
    """Fails unless a page has the headers that keep it private and loads nothing from elsewhere."""
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "script" not in policy
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["content-type"].startswith("text/html")
    addresses = re.findall(r"(?:src|href|action)=\"([^\"]*)\"", page.text)
    assert addresses
    assert not re.findall(r"\sstyle=|<style", page.text)
    assert all(
        re.match(r"/(?!/)|\?language=|\?step=\w+&language=|mailto:", html.unescape(address))
        for address in addresses
    )
    assert not re.findall(r"https?://|<script|<iframe|<img|javascript:|\son\w+=", page.text)


def token_of(address: str) -> str:
    """The signed part of an address."""
    return address.rsplit("/", 1)[1]


def switches(page: str, act: str = "consent") -> list[dict[str, str]]:
    """What the buttons of a page that do `act` send, each with the address that it sends it to;
    asking for a review is no switch.
    """
    found = []
    for form in re.findall(
        r"<form method=\"post\" action=\"([^\"]+)\">(.*?)</form>", page, re.DOTALL
    ):
        fields = dict(re.findall(r"name=\"(\w+)\" value=\"([^\"]*)\"", form[1]))
        found.append(
            {
                "address": html.unescape(form[0]),
                **{name: html.unescape(value) for name, value in fields.items()},
            }
        )
    return [
        form
        for form in found
        if form.get("act", "consent") == act and "/review" not in form["address"]
    ]


def test_the_why_page_tells_what_an_answer_used(service, pool):
    """Every used category stands there with a switch, every item with its title and reasons."""
    answer = service.recommend(pool.one(), k=4)
    page = service.page(answer["why_url"])
    assert page.status_code == 200
    assert_safe(page)
    text = html.unescape(page.text)
    assert {switch["category"] for switch in switches(page.text)} == set(CATEGORIES)
    for item in answer["items"]:
        assert item["title"] in text
        assert all(reason["text"] in text for reason in item["explanation"]["reasons"])


def test_of_an_answer_without_reasons_no_page_says_what_the_reasons_were(service, pool):
    """Asked without reasons, an answer is recorded without: its page has every switch, and calls
    nothing a main reason or none.
    """
    answer = service.recommend(pool.one(), explain="none")
    page = service.page(answer["why_url"])
    assert {switch["category"] for switch in switches(page.text)} == set(CATEGORIES)
    for text in (page.text, service.page(page.url.path + "/panel").text):
        assert "reason for" not in html.unescape(text)
    assert (
        "reason for"
        in service.page(service.recommend(pool.one(), explain="reasons")["why_url"]).text
    )


def test_the_why_page_of_an_estimate_tells_the_chance_and_each_without(service, pool):
    """The chance, what it would be with nothing shared, and what it would be without each category
    are those of the answer.
    """
    answer = service.churn(pool.one())
    page = service.page(answer["why_url"])
    assert_safe(page)
    game = answer["explanation"]["categories"]
    shown = re.findall(r"\d+ in 100", page.text)
    expected = {
        answer["probability"],
        game["base_value"],
        *(part["without"] for part in game["contributions"]),
    }
    assert {f"{round(100 * value)} in 100" for value in expected} <= set(shown)


def test_an_old_record_is_spoken_of_by_its_own_days(service, served, pool):
    """The made-up shop's orders ended long ago: the page says when, no sentence of an answer speaks
    of days before today, in any language, and the decision is made again alike.
    """
    last = served.loaded_until() - timedelta(microseconds=1)
    said = f"{last.day} {last:%B %Y}"
    answers = [service.churn(pool.one()), service.recommend(pool.one(), k=8)]
    for answer in answers:
        page = html.unescape(service.page(answer["why_url"]).text)
        assert f"knows of end on {said}." in page
        assert not re.search(r"\b(days ago|in the last [0-9]+|of the last [0-9]+)\b", page)
        kept = service.answer(
            service.http.get(f"/v1/decisions/{answer['decision_id']}", params={"replay": True})
        )
        assert kept["replay"] == {"identical": True}
    reasons = answers[0]["explanation"]["reasons"]
    assert any({"on", "until"} & reason["values"].keys() for reason in reasons)
    german = html.unescape(service.page(answers[0]["why_url"] + "?language=de").text)
    assert not re.search(r"vor [0-9]+ Tag|letzten [0-9]+ Tage", german)


def test_the_numbers_of_an_estimate_add_up_as_shown(service, pool):
    """What everybody gets plus all rows of the sum is the estimate, in the very numbers that the
    page shows.
    """
    for customer in pool.take(5):
        page = service.page(service.churn(customer)["why_url"]).text
        rows = [int(cell.replace("−", "-")) for cell in re.findall(r"<td>([^<]+)</td>", page)]  # noqa: RUF001 - a minus sign
        assert len(rows) == 2 + len(CATEGORIES)
        assert sum(rows[:-1]) == rows[-1]


@pytest.mark.parametrize("kind", ["recommend", "churn"])
def test_a_switch_works_at_once_and_the_page_confirms_it(service, pool, kind):
    """Pressing a category's button withdraws it for this purpose, the page says so, and the button
    beside that takes it back.
    """
    customer = pool.one()
    ask = getattr(service, kind)
    address = ask(customer)["why_url"]
    switch = next(s for s in switches(service.page(address).text) if s["category"] == "purchases")
    assert switch["action"] == "withdrawn"
    for withheld in (True, False):
        pressed = service.press(switch.pop("address"), **switch)
        assert pressed.status_code == 303
        confirmed = service.page(service.url + pressed.headers["location"])
        assert_safe(confirmed)
        assert 'role="status"' in confirmed.text
        said = html.unescape(re.findall(r'role="status">\s*<p>([^<]*)<', confirmed.text)[0])
        assert LABELS["purchases"] in said
        assert re.search(r"from \d+ \w+ \d{4}, \d\d:\d\d UTC on", said)
        assert ("purchases" in ask(customer)["consent"]["withheld"]) is withheld
        switch = next(iter(switches(confirmed.text, "undo")), {})
    other = service.churn if kind == "recommend" else service.recommend
    assert "purchases" in other(customer)["consent"]["used"]


def test_a_change_on_a_page_is_evidence_in_the_ledger(service, pool):
    """The ledger names the page and the notice for what a customer pressed there."""
    customer = pool.one()
    service.press(
        service.recommend(customer)["preferences_url"],
        purpose=FOR_ITEMS,
        category="spending",
        action="withdrawn",
    )
    last = service.http.get(f"/v1/customers/{customer}/consents").json()["history"][-1]
    assert (last["purpose"], last["category"], last["action"], last["method"]) == (
        FOR_ITEMS,
        "spending",
        "withdrawn",
        "preference_page",
    )
    assert last["notice_version"]


def test_looking_changes_nothing(service, served, pool):
    """No GET of any page, with whatever query, writes to the ledger, so a mail scanner switches
    nothing off.
    """
    customer = pool.one()
    items, churn = service.recommend(customer), service.churn(customer)
    before = served.ledger.history(served.customers.find(customer))
    query = {
        "purpose": FOR_ITEMS,
        "category": "purchases",
        "action": "withdrawn",
        "act": "stop_all",
        "done": "purchases",
        "step": "erase",
    }
    for address in (items["why_url"], churn["why_url"], items["preferences_url"]):
        for method in ("GET", "HEAD", "OPTIONS"):
            httpx.request(method, address, params=query, verify=NO_TLS)
    assert served.ledger.history(served.customers.find(customer)) == before


def test_the_preferences_page_shows_every_choice_as_it_stands(service, pool):
    """Each purpose and category has its switch, and what is allowed is what the ledger says."""
    customer = pool.one(("purchases", "order_times", "spending"))
    page = service.page(service.recommend(customer)["preferences_url"])
    assert_safe(page)
    state = service.http.get(f"/v1/customers/{customer}/consents").json()["state"]
    shown = {
        (switch["purpose"], switch["category"]): switch["action"]
        for switch in switches(page.text)
        if "purpose" in switch
    }
    assert shown == {
        (e["purpose"], e["category"]): "withdrawn" if e["action"] == "granted" else "granted"
        for e in state
    }


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({"purpose": "advertising", "category": "purchases", "action": "withdrawn"}, 422),
        ({"purpose": FOR_ITEMS, "category": "health", "action": "withdrawn"}, 422),
        ({"purpose": FOR_ITEMS, "category": "purchases", "action": "deleted"}, 422),
        ({"purpose": FOR_ITEMS, "category": "purchases"}, 422),
        ({"purpose": "x" * 500, "category": "purchases", "action": "granted"}, 422),
        ({"purpose": FOR_ITEMS, "category": "<script>alert(1)</script>", "action": "granted"}, 422),
        (
            {
                "purpose": FOR_ITEMS,
                "category": "purchases",
                "action": "withdrawn",
                "back": "forged",
            },
            422,
        ),
        (
            {
                "purpose": FOR_ITEMS,
                "category": "purchases",
                "action": "withdrawn",
                "back": "//example.com",
            },
            422,
        ),
    ],
)
def test_a_wrong_press_changes_nothing(service, pool, form, status):
    """A form that names something unknown, or a forged way back, is refused without a change and
    without echoing markup.
    """
    customer = pool.one()
    answer = service.recommend(customer)
    pressed = service.press(answer["preferences_url"], **form)
    assert pressed.status_code == status
    assert "<script" not in pressed.text
    assert service.recommend(customer)["consent"]["used"] == answer["consent"]["used"]


def test_a_press_without_a_form_is_refused(service, pool):
    """Bodies that are no form are refused, never a 5xx."""
    address = service.recommend(pool.one())["preferences_url"]
    for content, kind in (
        (b"", ""),
        (b"{", "application/json"),
        (b"\xff\x00", "application/x-www-form-urlencoded"),
        (b"x", "multipart/form-data"),
    ):
        assert (
            400
            <= httpx.post(address, content=content, headers={"Content-Type": kind}).status_code
            < 500
        )


@pytest.mark.parametrize("page", ["why", "preferences"])
def test_a_mutated_link_opens_nothing(service, pool, page):
    """Of hundreds of links with one sign replaced, removed or added, none opens, and the refusal
    tells nothing.
    """
    answer = service.recommend(pool.one())
    right = answer[f"{page}_url"]
    token, draw = token_of(right), random.Random(3)
    opened, seen = [], set()
    for _ in range(MUTATIONS):
        at = draw.randrange(len(token))
        sign = draw.choice(SAFE)
        mutated = draw.choice(
            [
                token[:at] + sign + token[at + 1 :],
                token[:at] + token[at + 1 :],
                token[:at] + sign + token[at:],
            ]
        )
        if mutated == token:
            continue
        response = service.http.get(f"/{page}/{mutated}")
        seen.add((response.status_code, response.text))
        opened += [mutated] if response.status_code == 200 else []
    assert opened == []
    assert len(seen) == 1


@pytest.mark.parametrize("page", ["why", "preferences"])
def test_every_other_ending_of_a_link_opens_nothing(service, pool, page):
    """The last signs of the signature can be written in one way only."""
    right = service.recommend(pool.one())[f"{page}_url"]
    others = [right[:-1] + sign for sign in SAFE if sign != right[-1]] + [
        right + ending for ending in ("=", "!", "~", "%20", "-", ".")
    ]
    opened = [one for one in others if httpx.get(one, verify=NO_TLS).status_code == 200]
    assert opened == []


def test_a_link_for_one_page_opens_no_other(service, pool):
    """A token of the why page opens no preferences and changes none, and the other way round."""
    customer = pool.one()
    answer = service.recommend(customer)
    why, preferences = token_of(answer["why_url"]), token_of(answer["preferences_url"])
    form = {"purpose": FOR_ITEMS, "category": "purchases", "action": "withdrawn"}
    assert service.page(f"/preferences/{why}").status_code == 404
    assert service.page(f"/why/{preferences}").status_code == 404
    assert service.press(f"/preferences/{why}", **form).status_code == 404
    assert "purchases" in service.recommend(customer)["consent"]["used"]


def test_a_link_of_another_shop_opens_nothing(service, served, pool):
    """A token signed with another secret is refused, as one is for somebody who does not exist."""
    forged = Links("another secret", service.url)
    pseudonym = str(served.customers.find(pool.one()))
    assert httpx.get(forged.url(Page.PREFERENCES, pseudonym)).status_code == 404
    assert (
        service.page(service.links.path(Page.WHY, "dec_01J00000000000000000000000")).status_code
        == 404
    )


def test_an_expired_link_says_so(service, served, pool):
    """A link opens until the end of its time and is told as expired after it, and shows nothing of
    the customer.
    """
    customer = pool.one()
    pseudonym = str(served.customers.find(customer))
    for age, status in (
        (LIFE[Page.PREFERENCES] - timedelta(hours=1), 200),
        (LIFE[Page.PREFERENCES] + timedelta(seconds=5), 410),
    ):
        made = datetime.now(UTC) - age
        then = Links(served.workspace.secret(), service.url, lambda made=made: made)
        address = then.path(Page.PREFERENCES, pseudonym)
        page = service.page(address)
        assert page.status_code == status
        assert_safe(page)
    assert "expired" in page.text
    assert customer not in page.text
    assert (
        service.press(
            address, purpose=FOR_ITEMS, category="purchases", action="withdrawn"
        ).status_code
        == 410
    )


def test_refused_links_are_told_on_a_friendly_page(service):
    """A link that does not work gets a page for people, not a problem document."""
    page = service.page("/why/forged")
    assert page.status_code == 404
    assert_safe(page)
    assert "<h1>This link does not work</h1>" in page.text


def test_every_value_on_a_page_is_escaped(service, pool):
    """A product whose title is a script is shown as text."""
    answer = service.recommend(pool.one(), k=100)
    assert SCRIPT in [item["title"] for item in answer["items"]]
    page = service.page(answer["why_url"])
    assert_safe(page)
    assert SCRIPT in html.unescape(page.text)


def test_the_query_of_a_page_is_no_way_into_it(service, pool):
    """What was done is told only where the service itself signed it, for this customer."""
    address = service.recommend(pool.one())["why_url"]
    stranger = service.recommend(pool.one())
    (switch,) = (
        s for s in switches(service.page(stranger["why_url"]).text) if s["category"] == "spending"
    )
    told = service.press(switch.pop("address"), **switch).headers["location"]
    others = parse_qs(urlsplit(told).query)["done"][0]
    assert 'role="status"' in service.page(told).text
    for done in ("<script>alert(1)</script>", "nonsense", "x" * 3_000, others):
        page = httpx.get(address, params={"done": done})
        assert page.status_code == 200
        assert_safe(page)
        assert 'role="status"' not in page.text
    assert httpx.get(address, params={"done": "x" * 50_000}).status_code == 422


@pytest.mark.parametrize("kind", ["recommend", "churn"])
@pytest.mark.parametrize("category", CATEGORIES)
def test_of_a_withheld_category_only_the_name_is_on_the_page(service, pool, kind, category):
    """The why page of an answer without a category names it as not used and has neither reason,
    number nor switch for it.
    """
    customer = pool.one()
    for purpose in (FOR_ITEMS, FOR_CHURN):
        service.say(customer, purpose, category, "withdrawn")
    page = service.page(getattr(service, kind)(customer)["why_url"])
    assert category not in {switch["category"] for switch in switches(page.text)}
    assert page.text.count(LABELS[category]) == 1
    assert LABELS[category] not in json.dumps(service.page(page.url.path + "/panel").json()["used"])
    assert f"<h3>{LABELS[category]}</h3>" not in page.text


@pytest.mark.parametrize("kind", ["recommend", "churn"])
def test_answers_that_used_nothing_have_a_page_too(service, pool, kind):
    """The page of an unknown customer, of one who shares nothing and of one who opted out says that
    nothing was used.
    """
    silent = pool.one()
    service.opt_out(silent, "all")
    for customer in ("nobody-here", pool.one(()), silent):
        page = service.page(getattr(service, kind)(customer)["why_url"])
        assert page.status_code == 200
        assert_safe(page)
        assert "nothing about you was used" in page.text
        assert switches(page.text) == []


@pytest.mark.parametrize("kind", ["recommend", "churn"])
def test_who_did_not_agree_is_told_so_and_nobody_else(service, pool, kind):
    """Names of what was not used are always there; that it was not agreed to is said only of who
    did not agree.
    """
    less, silent, signalling = (
        pool.one(("purchases", "order_times", "spending")),
        pool.one(),
        pool.one(),
    )
    service.opt_out(silent, "all")
    ask = getattr(service, kind)
    for answer in (ask(less), ask(pool.one(()))):
        assert NOT_AGREED in service.page(answer["why_url"]).text
    others = [ask("nobody-here"), ask(silent)]
    if kind == "recommend":
        others += [ask(None, basket=["p03"]), ask(signalling, headers={"Sec-GPC": "1"})]
    for answer in others:
        page = service.page(answer["why_url"]).text
        assert all(f"<li>{label}</li>" in page for label in LABELS.values())
        assert NOT_AGREED not in page


def test_no_page_shows_the_shops_id_of_a_customer(service, pool):
    """Neither the pages nor their addresses hold the shop's id of the customer."""
    customer = pool.one()
    answer = service.recommend(customer)
    for address in (answer["why_url"], answer["preferences_url"]):
        assert customer not in address + service.page(address).text
        payload = token_of(address).split(".")[0]
        assert customer.encode() not in base64.urlsafe_b64decode(
            payload + "=" * (-len(payload) % 4)
        )


def test_the_front_page_lists_every_route(service):
    """`/` needs no key and names each route with its scope."""
    page = service.page("/")
    assert page.status_code == 200
    assert_safe(page)
    for path in (
        "/v1/recommendations",
        "/v1/churn",
        "/v1/decisions/{id}",
        "/v1/consents",
        "/v1/notices",
        "/v1/opt-outs",
        "/v1/models",
    ):
        assert path in page.text


def test_the_style_sheet_loads_nothing(service):
    """The pages' only file refers to no other."""
    style = service.page("/pages/sayso.css")
    assert style.headers["content-type"].startswith("text/css")
    assert not re.findall(r"url\(|@import|https?:", style.text)
