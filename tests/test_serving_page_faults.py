"""Pages where something is missing or broken: what was recorded is still shown, and a fault is told
in plain words.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from features.shop.workspace import Workspace
from serving.access.caller import Caller
from serving.access.signed_links import Page
from serving.bootstrap import Sayso, assemble
from serving.http.app import make_app
from serving.pages.reader import reader_of
from serving.pages.why import why_page
from tests.serving_shop import copied, customer_id

pytest_plugins = ["tests.serving_fixtures"]


@pytest.fixture
def idle(untrained_root: Path, tmp_path: Path) -> Iterator[Sayso]:
    """A service without any model."""
    sayso = assemble(Workspace.open(copied(untrained_root, tmp_path / "shop")), "http://localhost")
    yield sayso
    sayso.close()


def test_a_decision_whose_model_is_gone_still_shows_what_was_recorded(service, served_root, pool):
    """Where no model can be loaded the page has every product and reason of the record, and
    foretells nothing.
    """
    answer = service.recommend(pool.one(), language="de")
    modelless = assemble(Workspace.open(served_root), service.url)
    try:
        decision, _ = modelless.decisions.find(answer["decision_id"])
        page = html.unescape(
            why_page(modelless, decision, "token", reader_of(modelless.words, "de", None), None)
        )
    finally:
        modelless.close()
    for item in answer["items"]:
        assert item["title"] in page
        assert all(reason["text"] in page for reason in item["explanation"]["reasons"])
    assert "Ohne dies" not in page


def test_a_reason_without_a_template_is_shown_as_it_was_recorded(service, served_root, pool):
    """A reason of a sentence that is no more stands on the page in the words that it was said
    in.
    """
    answer = service.churn(pool.one())
    sayso = assemble(Workspace.open(served_root), service.url)
    try:
        decision, _ = sayso.decisions.find(answer["decision_id"])
        keys = {reason["template"] for reason in answer["explanation"]["reasons"]}
        recorded = decision.answer
        for key in keys:
            recorded = recorded.replace(f'"template":"{key}"', '"template":"gone"')
        object.__setattr__(decision, "answer", recorded)
        page = html.unescape(
            why_page(sayso, decision, "token", reader_of(sayso.words, "fr", None), None)
        )
    finally:
        sayso.close()
    assert keys
    assert all(reason["text"] in page for reason in answer["explanation"]["reasons"])


def test_deletion_takes_two_steps_and_is_final(idle):
    """A link without a code deletes nothing, nor does a code without the confirmation; both do,
    with a receipt, which pressing again shows once more, and the links end.
    """
    app = make_app()
    app.state.sayso = idle
    client = TestClient(app)
    customer = idle.shop.customers.find(customer_id(5))
    address = idle.links.path(Page.PREFERENCES, str(customer))
    for page in (client.get(f"{address}?step=erase"), client.post(address, data={"act": "erase"})):
        assert "This needs a code" in page.text
    code = idle.codes.make(customer, None, Caller("test")).code
    led = client.post(address, data={"act": "erase", "code": code}, follow_redirects=False)
    erasure = led.headers["location"]
    assert "This cannot be undone" in client.get(erasure).text
    assert client.post(erasure).status_code == 422
    assert idle.shop.customers.find(customer_id(5)) == customer
    receipts = []
    for _ in range(2):
        done = client.post(erasure, data={"confirmed": "yes"})
        assert done.status_code == 200
        receipts += re.findall(r"era_[0-9a-f]{24}", done.text)
    assert len(set(receipts)) == 1
    assert idle.shop.customers.find(customer_id(5)) is None
    assert client.get(address).status_code == 404


def test_a_broken_database_is_told_in_the_readers_language(idle):
    """Where the database cannot be read the page says so and no more, and works again once it is
    mended.
    """
    app = make_app()
    app.state.sayso = idle
    client = TestClient(app)
    customer = idle.shop.customers.find(customer_id(3))
    address = idle.links.path(Page.PREFERENCES, str(customer))
    assert client.get(address).status_code == 200
    with idle.shop.database.write() as connection:
        connection.execute(text("ALTER TABLE opt_outs RENAME TO elsewhere"))
    for answer in (
        client.get(address, headers={"Accept-Language": "pl"}),
        client.post(f"{address}?language=pl", data={"act": "pause"}),
    ):
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
        assert "<h1>Coś poszło nie tak po naszej stronie</h1>" in answer.text
        assert "opt_outs" not in answer.text
    with idle.shop.database.write() as connection:
        connection.execute(text("ALTER TABLE elsewhere RENAME TO opt_outs"))
    assert client.get(address).status_code == 200
