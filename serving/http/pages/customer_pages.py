"""The customers' pages: `GET /why/{token}`, `GET` and `POST /preferences/{token}`.

Whoever holds the signed link is let in, without a key. `GET` changes nothing, so a mail scanner
that opens links switches nothing off.
"""

from __future__ import annotations

import json
from functools import lru_cache
from importlib.resources import files
from typing import Annotated

from fastapi import APIRouter, Form, Header, Query
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from features.errors import NotFound
from serving.access.signed_links import Page
from serving.bootstrap import Sayso
from serving.http.boundary.scoped_routes import Service
from serving.http.pages.page_route import HEADERS, PageRoute, reader_for
from serving.pages.changes import PreferenceForm, change
from serving.pages.confirmation import seal
from serving.pages.contested import contested
from serving.pages.panel import panel
from serving.pages.preferences import erased_page, erasure_page, preferences_page
from serving.pages.reader import Reader
from serving.pages.why import why_page

router = APIRouter(include_in_schema=True, tags=["pages"], route_class=PageRoute)
OWN_FILES = {"sayso.css": "text/css", "why-this.js": "text/javascript"}
FROM_ANYWHERE = {"Access-Control-Allow-Origin": "*", "Cross-Origin-Resource-Policy": "cross-origin"}

Chosen = Annotated[str | None, Query(max_length=35, description="Language of the page.")]
Wished = Annotated[str | None, Header(alias="Accept-Language", include_in_schema=False)]
Done = Annotated[
    str | None, Query(max_length=4_000, description="What was just done, as the service signed it.")
]


@router.get("/why/{token}", response_class=HTMLResponse)
def why(
    token: str,
    sayso: Service,
    language: Chosen = None,
    accept_language: Wished = None,
    done: Done = None,
) -> HTMLResponse:
    """Why am I seeing this: what an answer used, its reasons, and a switch for each category."""
    decision, _ = sayso.decisions.find(sayso.links.subject(Page.WHY, token))
    reader = reader_for(sayso, language, accept_language)
    review = contested(sayso.reviews, decision.id, reader)
    return _page(
        why_page(
            sayso,
            decision,
            token,
            reader,
            done,
            reviews=decision.customer is not None,
            review=review,
        )
    )


@router.get(
    "/why/{token}/panel",
    responses={200: {"content": {"application/json": {}}}},
    response_class=JSONResponse,
)
def why_panel(
    token: str, sayso: Service, language: Chosen = None, accept_language: Wished = None
) -> JSONResponse:
    """The reasons of the why page in short, for the panel that a shop shows on its own site; any
    site may ask, as the link is the key.
    """
    decision, _ = sayso.decisions.find(sayso.links.subject(Page.WHY, token))
    reader = reader_for(sayso, language, accept_language)
    return JSONResponse(panel(sayso, decision, token, reader), headers={**HEADERS, **FROM_ANYWHERE})


@router.get("/preferences/{token}", response_class=HTMLResponse)
def preferences(
    token: str,
    sayso: Service,
    language: Chosen = None,
    accept_language: Wished = None,
    done: Done = None,
    step: Annotated[
        str | None,
        Query(
            max_length=16, description="`erase` shows what erasing does, before anything is done."
        ),
    ] = None,
) -> HTMLResponse:
    """Everything a customer allows, by purpose and category, with a switch for each."""
    customer = _customer(sayso, token)
    if step == "erase":
        return _page(
            erasure_page(sayso, token, reader_for(sayso, language, accept_language, step=step))
        )
    return _page(
        preferences_page(sayso, customer, token, reader_for(sayso, language, accept_language), done)
    )


@router.post("/preferences/{token}", response_class=HTMLResponse)
def change_preferences(
    token: str,
    sayso: Service,
    form: Annotated[PreferenceForm, Form()],
    language: Chosen = None,
    accept_language: Wished = None,
) -> Response:
    """Do what a form of a customer's page asks, then show where that was asked for."""
    customer = _customer(sayso, token)
    if form.back is not None:
        sayso.links.subject(Page.WHY, form.back)
    reader = reader_for(sayso, language, accept_language)
    if form.act == "download":
        return _download(sayso, customer)
    if form.act == "erase":
        return _erase(sayso, customer, token, form, reader)
    done = change(sayso, customer, form, reader.wording.language)
    where = f"/why/{form.back}" if form.back else f"/preferences/{token}"
    sealed = seal(sayso.links, customer, done, sayso.shop.clock())
    return RedirectResponse(reader.address(where, done=sealed), 303, headers=HEADERS)


@lru_cache(len(OWN_FILES))
def _text_of(name: str) -> str:
    return files("serving.pages").joinpath(name).read_text(encoding="utf-8")


@router.get("/pages/{name}", include_in_schema=False)
async def own_file(name: str) -> Response:
    """The pages' own style sheet, and the script that a shop can put on its site."""
    if name not in OWN_FILES:
        raise NotFound("There is no such file.")
    text = _text_of(name)
    shared = FROM_ANYWHERE if name.endswith(".js") else {}
    headers = {"Cache-Control": "max-age=3600", "X-Content-Type-Options": "nosniff", **shared}
    return Response(text, media_type=OWN_FILES[name], headers=headers)


def _customer(sayso: Sayso, token: str) -> int:
    """Whose preferences a link opens.

    Raises `LinkRefused`, and `NotFound` for a customer who was erased.
    """
    customer = int(sayso.links.subject(Page.PREFERENCES, token))
    if not sayso.shop.customers.external_ids([customer]):
        raise NotFound("There is no such customer.")
    return customer


def _external_id(sayso: Sayso, customer: int) -> str:
    (customer_id,) = sayso.shop.customers.external_ids([customer]).values()
    return str(customer_id)


def _download(sayso: Sayso, customer: int) -> Response:
    held = json.dumps(
        sayso.rights.export(_external_id(sayso, customer)),
        ensure_ascii=False,
        default=str,
        indent=1,
    )
    headers = {**HEADERS, "Content-Disposition": 'attachment; filename="my-data.json"'}
    return Response(held, media_type="application/json", headers=headers)


def _erase(
    sayso: Sayso, customer: int, token: str, form: PreferenceForm, reader: Reader
) -> Response:
    """Erase where that was confirmed; ask for it otherwise."""
    if form.confirmed != "yes":
        return _page(erasure_page(sayso, token, reader))
    return _page(erased_page(sayso, sayso.rights.erase(_external_id(sayso, customer)), reader))


def _page(html: str, status: int = 200) -> HTMLResponse:
    return HTMLResponse(html, status, headers=HEADERS)
