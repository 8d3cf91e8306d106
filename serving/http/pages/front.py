"""The page at `/`: what this service is and every route it has, made from its own OpenAPI
document.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from serving.http.boundary.problems import Refused
from serving.http.boundary.scoped_routes import SCOPE, sayso_of
from serving.http.pages.page_route import HEADERS, reader_for
from serving.pages.rendering import render

router = APIRouter(include_in_schema=False)
EVERY_METHOD = ["GET", "POST", "PUT", "PATCH", "DELETE"]


@router.get("/", response_class=HTMLResponse)
def front(request: Request) -> HTMLResponse:
    """The service in one page."""
    document = request.app.openapi()
    routes = [
        _described(path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    reader = reader_for(sayso_of(request), "en", None)
    text = document["info"]["description"]
    return HTMLResponse(
        render("front.html.j2", reader, title=document["info"]["title"], text=text, routes=routes),
        headers=HEADERS,
    )


@router.api_route("/{path:path}", methods=EVERY_METHOD)
def nowhere() -> None:
    """Whatever no other route answers."""
    raise Refused(404, "There is nothing at this address; `/` lists the routes.")


def _described(path: str, method: str, operation: dict[str, Any]) -> dict[str, str]:
    return {
        "method": method.upper(),
        "path": path,
        "scope": operation.get(SCOPE, "signed link"),
        "text": operation.get("description", ""),
    }
