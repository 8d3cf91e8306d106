"""`GET /problems` and `GET /problems/{name}`: what each type of problem document means and what to
do about it, where its `type` leads.
"""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from features.errors import NotFound
from serving.contract.problems import KINDS, PAGES, ProblemKind
from serving.http.boundary.lane_route import LaneRoute
from serving.http.boundary.parts import sayso_of
from serving.http.pages.page_route import HEADERS, reader_for
from serving.pages.rendering import render

router = APIRouter(prefix=PAGES, include_in_schema=False, route_class=LaneRoute)


@router.get("")
def list_problems(request: Request) -> HTMLResponse:
    """All types of problems."""
    return _page(request, "Problems", KINDS)


@router.get("/{name}")
def explain_problem(request: Request, name: str) -> HTMLResponse:
    """One type of problem."""
    for kind in KINDS:
        if kind.name == name:
            return _page(request, kind.title, [kind])
    raise NotFound(f"There is no such type of problem; `{PAGES}` lists them.")


def _page(request: Request, title: str, kinds: Sequence[ProblemKind]) -> HTMLResponse:
    reader = reader_for(sayso_of(request), "en", None)
    return HTMLResponse(
        render("problems.html.j2", reader, title=title, kinds=kinds), headers=HEADERS
    )
