"""Links that are forged, expired, revoked or made for something else: none opens anything."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import timedelta
from itertools import islice
from typing import Any

from serving.access.revocations import Revocations, Revoked
from serving.access.signed_links import LIFE, Links, Page
from serving.proofs.doors.house import House

SAFE = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."
OPENED = (200, 303)
SEED = 7
FORMS = {
    Page.WHY: {"act": "hide", "what": "brand:x"},
    Page.PREFERENCES: {"act": "pause"},
    Page.DATA: {},
    Page.ERASURE: {"confirmed": "yes"},
}


def forge(house: House, count: int) -> None:
    """Try so many links; no look at a page and no refused form may change anything."""
    before = house.shop.ledger.position()
    for chunk in _chunks(_tries(house), count):
        for page, response in zip(
            (page for page, _ in chunk), house.at_once([call for _, call in chunk]), strict=True
        ):
            house.counts["forged, expired and misused links"] += 1
            opened = response.status_code in OPENED
            house.counts["of these accepted"] += opened
            house.expect(not opened, f"a link that is none opened {page}: {response.status_code}")
    house.expect(house.shop.ledger.position() == before, "a refused link changed the ledger")


def _chunks(tries: Iterator[Any], count: int) -> Iterator[list[Any]]:
    while count > 0 and (chunk := list(islice(tries, min(count, 200)))):
        count -= len(chunk)
        yield chunk


def _tries(house: House) -> Iterator[tuple[str, dict[str, Any]]]:
    draw = random.Random(SEED)  # noqa: S311 - drawn from a seed, so that a fault is found again
    subjects = _subjects(house)
    made = tuple(_makers(house, subjects))
    while True:
        page = draw.choice(tuple(Page))
        token = draw.choice(made)(page, draw)
        where = f"/{page}/{token}"
        if draw.random() < 0.5:
            yield page, {"method": "GET", "url": where}
        else:
            yield page, {"method": "POST", "url": where, "data": FORMS[page]}


def _subjects(house: House) -> dict[Page, str]:
    """A decision and a customer that are there, by page."""
    customer_id = house.customers[0]
    decided = house.ask(house.key()[1], "/v1/recommendations", {"customer_id": customer_id})
    customer = str(house.shop.customers.pseudonym(customer_id))
    return {page: decided["decision_id"] if page is Page.WHY else customer for page in Page}


def _makers(house: House, subjects: dict[Page, str]) -> Iterator[Any]:
    """Ways to make a token that must not work."""

    def token(links: Links, page: Page) -> str:
        return links.path(page, subjects[page]).rsplit("/", 1)[1]

    def mutated(page: Page, draw: random.Random) -> str:
        right = token(house.links, page)
        at = draw.randrange(len(right))
        wrong = draw.choice(
            [
                right[:at] + draw.choice(SAFE) + right[at + 1 :],
                right[:at] + right[at + 1 :],
                right[:at] + draw.choice(SAFE) + right[at:],
                right[: at + 1],
            ]
        )
        return wrong if wrong != right else right + "A"

    def expired(page: Page, draw: random.Random) -> str:
        ago = LIFE[page] + timedelta(seconds=draw.randrange(1, 10_000_000))
        moment = house.shop.clock() - ago
        return token(Links(house.shop.workspace.secret(), house.url, lambda: moment), page)

    def of_another_page(page: Page, draw: random.Random) -> str:
        return token(house.links, draw.choice([other for other in Page if other is not page]))

    def of_another_secret(page: Page, draw: random.Random) -> str:
        return token(Links(f"secret {draw.random()}", house.url), page)

    revocations = Revocations(house.shop.database)
    ended = {page: token(house.links, page) for page in Page}
    for page, one in ended.items():
        revocations.revoke(Revoked.LINK, house.links.read(page, one).id)

    def revoked(page: Page, _draw: random.Random) -> str:
        return ended[page]

    yield from (mutated, mutated, expired, of_another_page, of_another_secret, revoked)
