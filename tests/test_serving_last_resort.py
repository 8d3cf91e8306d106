"""An error that nobody expected."""

from __future__ import annotations

from types import SimpleNamespace

from fastapi.routing import APIRoute
from sqlalchemy.exc import DataError
from starlette.testclient import TestClient

from explain.words import open_words
from serving.bootstrap import SPOKEN_BY
from serving.http.app import make_app
from serving.http.pages.page_route import PageRoute
from serving.http.sight.counts import REQUESTS


def test_an_error_that_nobody_expected_is_a_problem_document_and_ends_there(caplog):
    """It gets a problem document without any of its text, and does not go on to the server, which
    would close the connection.
    """
    app = make_app()  # without a service behind it every route fails
    with TestClient(app, raise_server_exceptions=True) as http:
        response = http.get("/v1/models", headers={"Authorization": "Bearer x"})
    assert response.status_code == 500
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["detail"] == "Something went wrong on our side."
    assert "AttributeError" in caplog.text
    assert "Traceback" not in caplog.text


def test_text_that_postgresql_cannot_hold_is_the_senders_fault():
    """A NUL in an address or a form is refused with 422, and not taken for a fault of the
    service.
    """
    app = make_app()

    def asked() -> None:
        raise DataError(
            "SELECT", {}, ValueError("PostgreSQL text fields cannot contain NUL (0x00) bytes")
        )

    app.router.routes.insert(0, APIRoute("/nul", asked))
    app.router.routes.insert(0, PageRoute("/page/nul", asked))
    named = SimpleNamespace(shop=SimpleNamespace(name="Mugs", human_contact="help@example.org"))
    app.state.sayso = SimpleNamespace(
        words=open_words(None, packages=SPOKEN_BY), shop=SimpleNamespace(config=named)
    )
    with TestClient(app) as http:
        assert [http.get(path).status_code for path in ("/nul", "/page/nul")] == [422, 422]


def test_methods_that_nobody_knows_are_counted_as_one():
    """However many methods a sender makes up, they are one line of the metrics."""
    app = make_app()
    with TestClient(app) as http:
        for number in range(30):
            http.request(f"MADEUP{number}", "/nowhere")
    counted = [
        sample.labels["method"] for metric in REQUESTS.collect() for sample in metric.samples
    ]
    assert "other" in counted
    assert not [method for method in counted if method.startswith("MADEUP")]
