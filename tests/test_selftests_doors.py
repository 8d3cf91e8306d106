"""The selftest `doors`: it holds against the running service, and it can tell a door that stands
open.
"""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from serving.access.api_keys import Keys
from serving.access.signed_links import Page
from serving.proofs.doors import combining, forging
from serving.proofs.doors.combining import Combination
from serving.proofs.doors.ending import revoke, send_twice, use_codes
from serving.proofs.doors.following import Walk, follow_all
from serving.proofs.doors.forging import forge
from serving.proofs.doors.house import SCOPES, House

pytest_plugins = ["tests.serving_fixtures"]


@pytest.fixture
def house(service, served) -> Iterator[House]:
    """The running service as the house whose doors are tried."""
    with httpx.Client(base_url=service.url, timeout=30.0, trust_env=False) as http:
        yield House(served, service.url, http, Keys(served.database), service.links)


def test_a_why_page_that_gives_out_more_is_found(house, service, pool):
    """A walk that began at a why link and comes to a preferences link is a fault."""
    customer = pool.one()
    Walk(house, Page.WHY, customer).from_(service.recommend(customer)["preferences_url"])
    assert "from a why link: it gave out a preferences link" in house.faults


def test_a_link_that_is_accepted_is_found(house, monkeypatch):
    """Links that work are counted as accepted."""

    def right(house, subjects):
        yield lambda page, _draw: house.links.path(page, subjects[page]).rsplit("/", 1)[1]

    monkeypatch.setattr(forging, "_makers", right)
    monkeypatch.setattr(forging, "Page", (Page.WHY, Page.PREFERENCES))
    monkeypatch.setattr(forging, "_subjects", _subjects)
    forge(house, 4)
    assert house.counts["of these accepted"] == 4
    assert house.faults


def _subjects(house: House) -> dict[Page, str]:
    customer = house.customers[0]
    asked = {"customer_id": customer}
    decided = house.ask(house.key()[1], "/v1/recommendations", asked)
    pseudonym = str(house.shop.customers.pseudonym(customer))
    return {Page.WHY: decided["decision_id"], Page.PREFERENCES: pseudonym}


@pytest.mark.parametrize(
    ("scopes", "status", "text"),
    [
        (None, 200, ""),
        (("score",), 200, ""),
        (("consent",), 403, ""),
        (("consent",), 200, "made-up-00002"),
        (("consent",), 500, ""),
    ],
)
def test_an_answer_that_was_not_due_is_found(house, scopes, status, text):
    """Without a key, without its scope, in spite of it, of somebody else or by a fault."""
    one = Combination(scopes, "consent", "made-up-00001", {"method": "GET", "url": "/v1/x"})
    combining._judge(house, one, httpx.Response(status, text=text))
    assert len(house.faults) == 1


@pytest.mark.slow  # `make selftest` runs the proof itself, which takes its time
def test_nobody_gets_more_than_their_key_or_link_is_for(house, pool):
    """Links are followed, forged, revoked and pressed twice, keys tried at every route."""
    follow_all(house, pool.take(len(SCOPES) + 2))
    forge(house, 200)
    combining.combine(house, 200)
    revoke(house, pool.take(2), 1)
    send_twice(house, pool.take(1))
    use_codes(house, pool.take(1))
    assert house.faults == []
    assert house.counts["links in answers"] >= 10
