"""An error that nobody expected."""

from __future__ import annotations

from starlette.testclient import TestClient

from serving.http.app import make_app


def test_an_error_that_nobody_expected_is_a_problem_document_and_ends_there(caplog):
    """It gets a problem document without any of its text, and does not go on to the server, which would close the connection."""
    app = make_app()  # without a service behind it every route fails
    with TestClient(app, raise_server_exceptions=True) as http:
        response = http.get("/v1/models", headers={"Authorization": "Bearer x"})
    assert response.status_code == 500
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["detail"] == "Something went wrong on our side."
    assert "AttributeError" in caplog.text
    assert "Traceback" not in caplog.text
