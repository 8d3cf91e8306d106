"""A real browser for the pages: Debian's chromium, driven by Playwright, with axe-core to look for
barriers.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

PROGRAM = shutil.which("chromium")
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice"]
needs_browser = pytest.mark.skipif(
    PROGRAM is None, reason="Debian's chromium is not installed (apt-get install chromium)"
)


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser while the block runs."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=PROGRAM, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def visit(browser: Browser, **how: object) -> Iterator[Page]:
    """A tab of its own, 900 pixels wide unless `how` says otherwise."""
    context: BrowserContext = browser.new_context(
        **{"viewport": {"width": 900, "height": 800}, **how}
    )  # type: ignore[arg-type]
    yield context.new_page()
    context.close()


def barriers(page: Page) -> list[str]:
    """Violations of WCAG 2.0 to 2.2, A and AA, and of good practice, that axe-core finds."""
    found = (
        Axe().run(page, options={"runOnly": {"type": "tag", "values": WCAG}}).response["violations"]
    )
    return [f"{part['id']}: {node['target']}" for part in found for node in part["nodes"]]


def unfold(page: Page) -> None:
    """Open everything that can be folded away."""
    page.evaluate("document.querySelectorAll('details').forEach(part => part.open = true)")


def scrolls_sideways(page: Page) -> bool:
    """Whether a page is wider than its window."""
    return bool(
        page.evaluate(
            "document.scrollingElement.scrollWidth > document.scrollingElement.clientWidth"
        )
    )
