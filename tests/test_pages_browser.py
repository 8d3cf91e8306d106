"""The customers' pages in a real browser: no barriers, by keyboard alone, without scripts, narrow,
dark, mirrored, in every language.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import Browser, Page, expect

from features.shop.shop import Shop
from serving.access import signed_links
from tests.browser import barriers, chromium, needs_browser, scrolls_sideways, unfold, visit
from tests.made_up_languages import ACCENTED, MIRRORED
from tests.serving_shop import CATEGORIES, Client, Pool

pytest_plugins = ["tests.serving_fixtures"]
pytestmark = [pytest.mark.needs_browser, needs_browser]

LANGUAGES = ["en", "de", "fr", "es", "pl", ACCENTED, MIRRORED]
MOST_INTERACTIONS = 2
SMALLEST_TARGET = 24
NARROW = {"width": 320, "height": 640}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for all of these tests."""
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def states(service: Client, pool: Pool, served: Shop) -> dict[str, str]:
    """An address for every page in every state that it can be in."""
    whole, stopped, hidden = pool.take(3)
    items, churn = service.recommend(whole, discover=0.3), service.churn(whole)
    nothing = service.recommend(pool.one(()))
    told = service.recommend(stopped)
    own = told["preferences_url"].removeprefix(service.url)
    done = service.press(
        own,
        purpose="recommendations",
        category="purchases",
        action="withdrawn",
    )
    hides = service.recommend(hidden)["preferences_url"].removeprefix(service.url)
    for form in (
        {"act": "limit", "what": "web:5/7"},
        {"act": "hide", "what": "product:p07"},
        {"act": "hide", "what": "channel:email"},
        {"act": "pause"},
    ):
        last = service.press(hides, **form)
    return {
        "recommendations": items["why_url"],
        "estimate": churn["why_url"],
        "preferences": items["preferences_url"],
        "nothing used": nothing["why_url"],
        "no estimate": service.churn("nobody-here")["why_url"],
        "a category stopped": service.url + done.headers["location"],
        "hidden and paused": service.url + last.headers["location"],
        "a code": f"{items['preferences_url']}?step=erase",
        "deletion": service.url
        + service.links.path(signed_links.Page.ERASURE, str(served.customers.find(whole))),
        "a link that does not work": f"{service.url}/why/forged",
    }


def spoken(address: str, language: str) -> str:
    """A page's address in a language."""
    return f"{address}{'&' if '?' in address else '?'}language={language}"


def looked_at(page: Page, address: str) -> list[str]:
    """What is wrong with a page, unfolded: barriers, or that it scrolls sideways at 320 pixels."""
    page.goto(address)
    unfold(page)
    found = barriers(page)
    page.set_viewport_size(NARROW)
    found += ["scrolls sideways"] if scrolls_sideways(page) else []
    page.set_viewport_size({"width": 900, "height": 800})
    return [f"{address}: {fault}" for fault in found]


@pytest.mark.slow
def test_no_page_has_a_barrier_in_any_state(browser, states):
    """axe-core finds nothing against WCAG 2.2 AA on any page in any state, and none scrolls
    sideways at 320 pixels.
    """
    with visit(browser) as page:
        assert [fault for address in states.values() for fault in looked_at(page, address)] == []


@pytest.mark.slow
def test_no_page_has_a_barrier_in_unusual_languages(browser, states):
    """The same of the largest pages in a language a third longer, and in one from right to left."""
    with visit(browser) as page:
        found = [
            fault
            for language in (ACCENTED, MIRRORED)
            for state in ("estimate", "hidden and paused")
            for fault in looked_at(page, spoken(states[state], language))
        ]
        assert found == []


@pytest.mark.slow
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("colors", ["light", "dark"])
def test_no_page_has_a_barrier_in_any_state_language_and_colors(browser, states, colors):
    """The same of all states in all languages, light and dark."""
    with visit(browser, color_scheme=colors) as page:
        found = [
            fault
            for language in LANGUAGES
            for address in states.values()
            for fault in looked_at(page, spoken(address, language))
        ]
        assert found == []


def test_dark_pages_are_dark_and_readable(browser, states):
    """Where the reader's system is dark the paper is, and its contrasts hold."""
    with visit(browser, color_scheme="dark") as page:
        for state in ("estimate", "preferences", "deletion"):
            assert looked_at(page, states[state]) == []
            red, green, blue = map(
                int,
                re.findall(
                    r"\d+", page.evaluate("getComputedStyle(document.body).backgroundColor")
                )[:3],
            )
            assert red + green + blue < 150


def test_a_mirrored_page_begins_at_the_right(browser, states):
    """In a language that runs from right to left the text stands at the right edge and nothing
    sticks out.
    """
    with visit(browser, viewport=NARROW) as page:
        page.goto(spoken(states["recommendations"], MIRRORED))
        assert page.locator("html").get_attribute("dir") == "rtl"
        text = page.evaluate(
            "() => { const range = document.createRange();"
            " range.selectNodeContents(document.querySelector('.shop')); const box ="
            " range.getBoundingClientRect(); return [box.left, innerWidth - box.right]; }"
        )
        assert text[0] > text[1]
        assert not scrolls_sideways(page)


@pytest.mark.slow
def test_buttons_are_large_enough_to_hit(browser, states):
    """Every button, switch and fold is at least 24 by 24 pixels at any width."""
    with visit(browser, viewport=NARROW) as page:
        for address in states.values():
            page.goto(address)
            unfold(page)
            boxes = [
                target.bounding_box()
                for target in page.locator("button, summary, .button, .languages a").all()
            ]
            assert [
                box for box in boxes if box and min(box["width"], box["height"]) < SMALLEST_TARGET
            ] == []


def test_pages_ask_nobody_else_and_break_no_rule_of_their_own(browser, service, states):
    """A page asks only the service itself, and its browser reports no breach of the
    Content-Security-Policy.
    """
    asked, complaints = [], []
    with visit(browser) as page:
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: complaints.append(message.text))
        for address in states.values():
            page.goto(address)
    assert [url for url in asked if not url.startswith(service.url)] == []
    assert [text for text in complaints if "404" not in text] == []


def test_a_complete_opt_out_by_keyboard_alone(browser, service, pool):
    """From the preferences, without a mouse and in one press, nothing is used any more; and the
    page says so where it is read out.
    """
    customer = pool.one()
    with visit(browser) as page:
        page.goto(service.recommend(customer)["preferences_url"])
        _tab_to(page, "Stop using everything")
        page.keyboard.press("Enter")
        expect(page.get_by_role("status")).to_contain_text(
            "Nothing that you share is used any more"
        )
    assert service.recommend(customer)["consent"]["used"] == []
    assert service.churn(customer)["unavailable_because"] == "no_consent"


def _tab_to(page: Page, text: str) -> None:
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent.trim()").startswith(text):
            assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
            return
    raise AssertionError(f"the keyboard does not reach {text!r}")


def test_everything_works_without_scripts(browser, service, pool):
    """With JavaScript off a category is stopped, and allowed again by the button that takes it
    back.
    """
    customer = pool.one()
    with visit(browser, java_script_enabled=False) as page:
        page.goto(service.recommend(customer)["why_url"])
        page.get_by_role("button", name="Stop using this (What you bought)").click()
        expect(page.get_by_role("status")).to_contain_text("is no longer used for")
        assert "purchases" in service.recommend(customer)["consent"]["withheld"]
        page.get_by_role("button", name="Undo").click()
        expect(page.get_by_role("status")).to_contain_text("may be used for")
    assert "purchases" in service.recommend(customer)["consent"]["used"]


def test_a_limit_of_ones_own_is_chosen_without_scripts(browser, service, pool):
    """With JavaScript off a customer chooses how often, by keyboard, and takes it back."""
    customer = pool.one()
    with visit(browser, java_script_enabled=False) as page:
        page.goto(service.recommend(customer)["preferences_url"])
        page.get_by_label("Your own limit (On our website)").focus()
        page.keyboard.type("At most 2")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page.get_by_role("status")).to_contain_text(
            "Your own limit for “On our website” is now 2"
        )
        expect(page.get_by_label("Your own limit (On our website)")).to_have_value("web:2/7")
        page.get_by_role("button", name="Undo").click()
        expect(page.get_by_role("status")).to_contain_text("no limit of your own")


class Visitor:
    """Counts what a customer has to do from the why page on."""

    def __init__(self, page: Page, start: str) -> None:
        self.page = page
        self.interactions = 0
        page.goto(start)

    def press(self, role: str, name: str) -> Visitor:
        """Press the first button, link or fold of that name."""
        self.interactions += 1
        found = (
            self.page.locator("summary", has_text=name)
            if role == "fold"
            else self.page.get_by_role(role, name=name)
        )  # type: ignore[arg-type]
        found.first.click()
        return self


def test_each_task_takes_at_most_two_interactions(browser, service, pool):
    """From the why page: see what was used, stop a category, undo that, hide a product, and with a
    code download the data.
    """
    answer = service.recommend(pool.one())
    title = answer["items"][0]["title"]
    with visit(browser) as page:
        start = Visitor(page, answer["why_url"])
        expect(
            page.get_by_role("heading", name="What was used, and your switch for it")
        ).to_be_visible()
        start.press("button", "Stop using this (When you ordered)")
        expect(page.get_by_role("status")).to_contain_text(
            "“When you ordered” is no longer used for “Recommendations”"
        )
        assert start.interactions <= MOST_INTERACTIONS
        undo = Visitor(page, page.url).press("button", "Undo")
        expect(page.get_by_role("status")).to_contain_text("may be used")
        hide = (
            Visitor(page, answer["why_url"])
            .press("fold", "More and less of this")
            .press("button", f"Hide this product ({title})")
        )
        expect(page.get_by_role("status")).to_contain_text(f"“{title}” is hidden")
        customer = answer["customer_id"]
        code = service.answer(service.http.post(f"/v1/customers/{customer}/codes"), 201)["code"]
        load = Visitor(page, answer["preferences_url"]).press("link", "Download my data")
        page.get_by_label("Your code").fill(code)
        with page.expect_download() as download:
            load.press("button", "Continue")
        assert download.value.suggested_filename == "my-data.json"
    assert all(visitor.interactions <= MOST_INTERACTIONS for visitor in (start, undo, hide, load))


def test_every_text_of_a_page_can_be_translated(browser, states):
    """In a made-up language whose every sentence stands in brackets, nothing stands outside of them
    but names and numbers.
    """
    script = """() => {
        const texts = [], walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
        while (walk.nextNode()) {
            const parent = walk.currentNode.parentElement;
            const skipped = parent.closest(
                '.title, .shop, .languages, .quiet, [lang]:not(html), footer a, .changed');
            const block = parent.closest('p, li, h1, h2, h3, td, th, button, summary, a') ?? parent;
            const said = walk.currentNode.textContent.trim();
            if (said && !skipped) texts.push(block.textContent.trim());
        }
        return texts;
    }"""
    with visit(browser) as page:
        for address in states.values():
            page.goto(spoken(address, ACCENTED))
            texts = [text for text in page.evaluate(script) if re.search(r"[^\W\d_]", text)]
            assert texts
            assert [
                text for text in texts if "[" not in text and not text.startswith("Product ")
            ] == []


def test_printed_pages_leave_out_what_only_a_screen_can_do(browser, states):
    """On paper there are no buttons and no languages to pick."""
    with visit(browser) as page:
        page.emulate_media(media="print")
        page.goto(states["estimate"])
        assert not page.get_by_role("button").first.is_visible()
        assert not page.locator(".languages").is_visible()
        assert page.get_by_role("heading", level=1).is_visible()


# ---- the piece for a shop's own site ----


@pytest.fixture(scope="module")
def shop_site(service: Client, states: dict[str, str]) -> Iterator[str]:
    """Another site, strict about what it loads, with the piece on a page in German and one whose
    link is forged.
    """
    token = states["recommendations"].rsplit("/", 1)[1]
    script = f'<script src="{service.url}/pages/why-this.js"></script>'
    body = (
        f'<main><h1>Mugs</h1><why-this decision="{token}"></why-this> <why-this id="bad"'
        ' decision="forged"></why-this></main>'
    )
    page = f"<title>Mugs</title><body>{body}{script}</body>"
    html = f'<!doctype html><html lang="de">{page}</html>'.encode()
    policy = f"default-src 'none'; script-src {service.url}; connect-src {service.url}"

    class Site(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Security-Policy", policy)
            self.end_headers()
            self.wfile.write(html)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def test_the_piece_opens_and_closes_by_keyboard_and_has_no_barriers(browser, shop_site, states):
    """On another site with a strict policy the button opens a panel in that page's language, and
    Escape gives the focus back.
    """
    with visit(browser) as page:
        page.goto(shop_site)
        button = page.get_by_role("button", name="Warum das?").first
        page.keyboard.press("Tab")
        expect(button).to_be_focused()
        page.keyboard.press("Enter")
        expect(button).to_have_attribute("aria-expanded", "true")
        panel = page.get_by_role("region", name="Warum sehe ich das?")
        expect(panel).to_contain_text("Was verwendet wurde")
        expect(panel).to_contain_text("Was Sie gekauft haben")
        assert (
            panel.get_by_role("link")
            .get_attribute("href")
            .startswith(f"{states['recommendations']}?language=de")
        )
        assert barriers(page) == []
        page.keyboard.press("Escape")
        expect(button).to_have_attribute("aria-expanded", "false")
        expect(button).to_be_focused()


def test_the_piece_says_so_where_nothing_can_be_shown(browser, shop_site):
    """A link that does not work gives one sentence and nothing else."""
    with visit(browser) as page:
        page.goto(shop_site)
        page.locator("#bad").get_by_role("button").click()
        expect(page.locator("#bad").get_by_role("status")).to_have_text("Gerade nicht verfügbar.")


def test_the_panel_shows_what_the_page_shows(service, states):
    """Whatever the panel says stands on the why page of the same link, and it is kept nowhere."""
    answer = service.page(f"{states['recommendations']}/panel?language=en")
    page = service.page(f"{states['recommendations']}?language=en").text
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in answer.headers
    data = answer.json()
    said = [
        data["lead"],
        *(text for item in data["items"] for text in [item["title"], *item["reasons"]]),
    ]
    assert [text for text in said if text.replace("&", "&amp;").split("<")[0] not in page] == []
    assert {part["label"] for part in data["used"]} <= {
        "What you bought",
        "When you ordered",
        "How much you spent",
        "Where you live",
    }
    assert len(data["used"]) == len(CATEGORIES)
    assert service.page(f"{service.url}/why/forged/panel").status_code == 404


def test_the_script_is_small_and_no_other_answer_is_open_to_other_sites(service, states):
    """The script has less than 5 kB; but for it and the panel nothing allows other origins."""
    script = service.page("/pages/why-this.js")
    assert len(script.content) < 5_000
    assert script.headers["content-type"].startswith("text/javascript")
    for address in (*states.values(), f"{service.url}/pages/sayso.css", f"{service.url}/docs.json"):
        assert "access-control-allow-origin" not in service.page(address).headers
    assert service.page("/pages/secret").status_code == 404
