"""The customers' pages: `GET /why/{token}`, `GET` and `POST /preferences/{token}`.

Whoever holds the signed link is let in, without a key. `GET` changes nothing, so a mail scanner that opens links switches
nothing off.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Annotated

from fastapi import APIRouter, Form
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from features.errors import ConsentError, NotFound, SaysoError
from serving.bootstrap import Sayso
from serving.decisions import DecisionDamaged
from serving.http.routes import Service
from serving.links import LinkRefused, Page
from serving.pages.preferences import change, preferences_page
from serving.pages.rendering import render
from serving.pages.why import why_page

router = APIRouter(include_in_schema=True, tags=["pages"])
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}
STYLE = "/pages/sayso.css"


@router.get("/why/{token}", response_class=HTMLResponse)
def why(token: str, sayso: Service, changed: str | None = None) -> HTMLResponse:
    """Why am I seeing this: what an answer used, its reasons, and a switch for each category."""
    try:
        decision, customer_id = sayso.decisions.find(sayso.links.subject(Page.WHY, token))
        return _page(why_page(sayso, decision, customer_id, token, changed))
    except (LinkRefused, NotFound, DecisionDamaged) as error:
        return _closed(error)


@router.get("/preferences/{token}", response_class=HTMLResponse)
def preferences(token: str, sayso: Service, changed: str | None = None) -> HTMLResponse:
    """Everything a customer allows, by purpose and category, with a switch for each."""
    try:
        customer = _customer(sayso, token)
    except (LinkRefused, NotFound) as error:
        return _closed(error)
    return _page(preferences_page(sayso, customer, token, changed))


@router.post("/preferences/{token}", response_class=HTMLResponse)
def change_preferences(
    token: str,
    sayso: Service,
    purpose: Annotated[str, Form(max_length=128)],
    category: Annotated[str, Form(max_length=128)],
    action: Annotated[str, Form(max_length=32)],
    back: Annotated[str | None, Form(max_length=2_000)] = None,
) -> Response:
    """Switch one category on or off for one purpose, then show where that was asked for."""
    try:
        customer = _customer(sayso, token)
        if back is not None:
            sayso.links.subject(Page.WHY, back)
        change(sayso, customer, purpose, category, action)
    except (LinkRefused, NotFound) as error:
        return _closed(error)
    except ConsentError as error:
        return _page(render("closed.html.j2", title="That did not work", text=str(error)), 422)
    where = f"/why/{back}" if back else f"/preferences/{token}"
    return RedirectResponse(f"{where}?changed={category}", 303, headers=HEADERS)


@router.get(STYLE, include_in_schema=False)
def style() -> Response:
    """The pages' own style sheet."""
    text = files("serving.pages").joinpath("sayso.css").read_text(encoding="utf-8")
    return Response(text, media_type="text/css", headers={"Cache-Control": "max-age=3600", "X-Content-Type-Options": "nosniff"})


def _customer(sayso: Sayso, token: str) -> int:
    """Whose preferences a link opens. Raises `LinkRefused`, and `NotFound` for a customer who was erased."""
    customer = int(sayso.links.subject(Page.PREFERENCES, token))
    if not sayso.shop.customers.external_ids([customer]):
        raise NotFound("There is no such customer.")
    return customer


def _page(html: str, status: int = 200) -> HTMLResponse:
    return HTMLResponse(html, status, headers=HEADERS)


def _closed(error: SaysoError) -> HTMLResponse:
    expired = isinstance(error, LinkRefused) and error.expired
    title = "This link has expired" if expired else "This link does not work"
    text = "Links like this one are good for 90 days. Please ask the shop for a new one, or open the newest message it sent you."
    return _page(render("closed.html.j2", title=title, text=text), 410 if expired else 404)
