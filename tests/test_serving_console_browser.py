"""The console in a real browser: without fault to axe-core, at 320 pixels, in the dark, and by
keyboard.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from serving.access.api_keys import Keys
from tests.test_serving_review_routes import ask

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

pytest_plugins = ["tests.serving_fixtures"]
pytestmark = pytest.mark.needs_browser

RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "resultTypes": ["violations"],
}
CHROMIUM = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)


@pytest.fixture(params=["light", "dark"])
def context(request) -> Iterator[BrowserContext]:
    """A browser of 320 pixels in width without JavaScript of the pages' own, once in the light and
    once in the dark.
    """
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("there is no Chromium on this machine")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser.new_context(
            viewport={"width": 320, "height": 800}, color_scheme=request.param
        )
        browser.close()


def check(page: Page, width: int = 320) -> None:
    """Fails where axe-core finds a fault, or the page is wider than the window."""
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="axe is not installed"
    ).Axe()
    found = axe.run(page, options=RULES)
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.slow
def test_every_page_of_the_console_is_accessible(context, service, served, pool):
    """Signing in, the queue, a review filled wrongly and rightly, decisions, consents and a search
    have no fault.
    """
    _, secret = Keys(served.database).create(["review", "correct"], "console", "Mia")
    customer = pool.one()
    decision = service.recommend(customer, k=4)
    estimate = service.churn(customer)
    reviews = [ask(service, one, "That is not me. " * 20) for one in (decision, estimate)]
    page = context.new_page()
    page.goto(f"{service.url}/console")
    check(page)
    page.get_by_label("API key").fill(secret)
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Reviews", exact=True).wait_for()
    for path in (
        "/console",
        "/console/decisions",
        "/console/consents",
        "/console/reads",
        "/console/calls",
        f"/console/decisions/{decision['decision_id']}",
    ):
        page.goto(service.url + path)
        check(page)
    for review in reviews:
        page.goto(f"{service.url}/console/reviews/{review['id']}")
        check(page)
    page.get_by_label("Override: the customer is right").check()
    page.get_by_label("Reason, which the customer reads").fill("You are right.")
    page.get_by_role("button", name="Record this outcome").press("Enter")
    page.get_by_role("alert").wait_for()
    check(page)
    page.get_by_label("Put a field right").select_option("customers.country")
    page.get_by_label("Its right value").fill("Norway")
    page.get_by_role("button", name="Record this outcome").press("Enter")
    page.get_by_role("status").get_by_text("overridden").wait_for()
    check(page)
    page.goto(f"{service.url}/console/reviews/{reviews[1]['id']}")
    check(page)
    page.goto(f"{service.url}/console/search")
    page.get_by_label("The shop's own id of the customer").fill(customer)
    page.keyboard.press("Enter")
    page.get_by_role("heading", name=f"Customer {customer}").wait_for()
    check(page)
