"""The page at `/`: what this service is and every route it has, made from its own OpenAPI
document.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from starlette.routing import BaseRoute, Match, Route
from starlette.types import Scope

from serving.http.boundary.lane_route import LaneRoute
from serving.http.boundary.parts import sayso_of
from serving.http.boundary.problems import Refused
from serving.http.boundary.scoped_routes import SCOPE
from serving.http.pages.page_route import HEADERS, reader_for
from serving.pages.rendering import render

router = APIRouter(include_in_schema=False, route_class=LaneRoute)
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
async def nowhere(request: Request) -> None:
    """Whatever no other route answers."""
    known = methods_at(request.app.routes, request.scope)
    if known:
        allowed = ", ".join(sorted(known))
        detail = f"This address takes {allowed}, not {request.method}."
        raise Refused(405, detail, headers={"Allow": allowed})
    raise Refused(404, "There is nothing at this address; `/` lists the routes.")


def methods_at(routes: Iterable[BaseRoute], scope: Scope) -> set[str]:
    """The methods that an address takes, none where there is nothing at it."""
    return {
        method
        for route in _each(routes)
        if route.endpoint is not nowhere and route.matches(scope)[0] is not Match.NONE
        for method in route.methods or ()
    }


def _each(routes: Iterable[BaseRoute]) -> Iterator[Route]:
    """All routes, also those of routers that are included."""
    for route in routes:
        if isinstance(route, Route):
            yield route
        elif (inner := getattr(route, "original_router", None)) is not None:
            yield from _each(inner.routes)


def _described(path: str, method: str, operation: dict[str, Any]) -> dict[str, str]:
    return {
        "method": method.upper(),
        "path": path,
        "scope": operation.get(SCOPE, "signed link"),
        "text": operation.get("description", ""),
    }
