"""The customers' pages: `GET` and `POST` of `/why/{token}` and `/preferences/{token}`.

Whoever holds the signed link is let in, without a key, to what that link is for. `GET` changes
nothing, so a mail scanner that opens links switches nothing off.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from typing import Annotated, Literal

from fastapi import APIRouter, Form, Header, Query
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from features.errors import NotFound
from serving.access.signed_links import Page
from serving.http.boundary.parts import RequestId
from serving.http.boundary.scoped_routes import Service
from serving.http.pages.coded_pages import answer_code, require_customer
from serving.http.pages.page_route import HEADERS, PageRoute, page, reader_for
from serving.pages.changes import Changing, PreferenceForm, change
from serving.pages.confirmation import seal
from serving.pages.contested import contested
from serving.pages.narrowing import METHOD, WhyForm, narrow
from serving.pages.panel import panel
from serving.pages.preferences import code_page, preferences_page
from serving.pages.privacy_signal import note_before_a_choice, with_signal
from serving.pages.why import why_page

router = APIRouter(include_in_schema=True, tags=["pages"], route_class=PageRoute)
OWN_FILES = {"sayso.css": "text/css", "why-this.js": "text/javascript"}
FROM_ANYWHERE = {"Access-Control-Allow-Origin": "*", "Cross-Origin-Resource-Policy": "cross-origin"}

Chosen = Annotated[str | None, Query(max_length=35, description="Language of the page.")]
Wished = Annotated[str | None, Header(alias="Accept-Language", include_in_schema=False)]
Signal = Annotated[
    str | None,
    Header(alias="Sec-GPC", description="`1` asks not to be profiled (Global Privacy Control)."),
]
Done = Annotated[
    str | None, Query(max_length=4_000, description="What was just done, as the service signed it.")
]
Step = Annotated[
    Literal["choices", "download", "erase"] | None,
    Query(description="Shows the form for the one-time code that this needs."),
]
Asked = Annotated[Literal["asked"] | None, Query(description="A code was just asked for.")]


@router.get("/why/{token}", response_class=HTMLResponse)
def why(
    token: str,
    sayso: Service,
    request_id: RequestId,
    language: Chosen = None,
    accept_language: Wished = None,
    done: Done = None,
    step: Step = None,
    code: Asked = None,
    sec_gpc: Signal = None,
) -> HTMLResponse:
    """Why am I seeing this: what an answer used, its reasons, and a switch for each category."""
    visit = sayso.visits.begin(Page.WHY, token)
    if step is not None:
        reader = reader_for(sayso, language, accept_language, step=step)
        return page(code_page(sayso, visit.path, step, reader, code))
    decision, _ = sayso.decisions.find(visit.link.subject)
    sayso.audit_log.read(visit.caller(request_id), "why page", decision.customer)
    reader = with_signal(
        sayso, reader_for(sayso, language, accept_language), decision.customer, sec_gpc
    )
    review = contested(sayso.reviews, decision.id, reader)
    return page(
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


@router.post("/why/{token}", response_class=HTMLResponse)
def change_why(
    token: str,
    sayso: Service,
    request_id: RequestId,
    form: Annotated[WhyForm, Form()],
    language: Chosen = None,
    accept_language: Wished = None,
    sec_gpc: Signal = None,
) -> Response:
    """Stop the use of something or hide it, or take that back within ten minutes; then show the
    page again.
    """
    visit = sayso.visits.begin(Page.WHY, token)
    customer = require_customer(sayso, visit)
    reader = reader_for(sayso, language, accept_language)
    if form.act in {"ask_code", "choices", "download", "erase"}:
        return answer_code(sayso, visit, form, reader)
    note_before_a_choice(sayso, customer, sec_gpc)
    actor = visit.caller(request_id).actor
    changing = Changing(sayso, customer, reader.wording.language, actor, METHOD)
    done = narrow(changing, visit, form)
    sealed = seal(sayso.links, customer, done, sayso.shop.clock())
    return RedirectResponse(reader.address(visit.path, done=sealed), 303, headers=HEADERS)


@router.get(
    "/why/{token}/panel",
    responses={200: {"content": {"application/json": {}}}},
    response_class=JSONResponse,
)
def why_panel(
    token: str,
    sayso: Service,
    request_id: RequestId,
    language: Chosen = None,
    accept_language: Wished = None,
    sec_gpc: Signal = None,
) -> JSONResponse:
    """The reasons of the why page in short, for the panel that a shop shows on its own site; any
    site may ask, as the link is the key.
    """
    visit = sayso.visits.begin(Page.WHY, token)
    decision, _ = sayso.decisions.find(visit.link.subject)
    sayso.audit_log.read(visit.caller(request_id), "why panel", decision.customer)
    reader = with_signal(
        sayso, reader_for(sayso, language, accept_language), decision.customer, sec_gpc
    )
    return JSONResponse(panel(sayso, decision, token, reader), headers={**HEADERS, **FROM_ANYWHERE})


@router.get("/preferences/{token}", response_class=HTMLResponse)
def preferences(
    token: str,
    sayso: Service,
    request_id: RequestId,
    language: Chosen = None,
    accept_language: Wished = None,
    done: Done = None,
    step: Step = None,
    code: Asked = None,
    sec_gpc: Signal = None,
) -> HTMLResponse:
    """Everything a customer allows, by purpose and category, with a switch for each."""
    visit = sayso.visits.begin(Page.PREFERENCES, token)
    customer = require_customer(sayso, visit)
    if step is not None:
        reader = reader_for(sayso, language, accept_language, step=step)
        return page(code_page(sayso, visit.path, step, reader, code))
    sayso.audit_log.read(visit.caller(request_id), "preferences page", customer)
    reader = with_signal(sayso, reader_for(sayso, language, accept_language), customer, sec_gpc)
    return page(preferences_page(sayso, customer, token, reader, done))


@router.post("/preferences/{token}", response_class=HTMLResponse)
def change_preferences(
    token: str,
    sayso: Service,
    request_id: RequestId,
    form: Annotated[PreferenceForm, Form()],
    language: Chosen = None,
    accept_language: Wished = None,
    sec_gpc: Signal = None,
) -> Response:
    """Do what a form of a customer's page asks, then show that page again.

    Downloading and erasing need a one-time code as well.
    """
    visit = sayso.visits.begin(Page.PREFERENCES, token)
    customer = require_customer(sayso, visit)
    reader = reader_for(sayso, language, accept_language)
    if form.act in {"ask_code", "download", "erase"}:
        return answer_code(sayso, visit, form, reader)
    note_before_a_choice(sayso, customer, sec_gpc)
    actor = visit.caller(request_id).actor
    done = change(Changing(sayso, customer, reader.wording.language, actor), form)
    sealed = seal(sayso.links, customer, done, sayso.shop.clock())
    return RedirectResponse(reader.address(visit.path, done=sealed), 303, headers=HEADERS)


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
