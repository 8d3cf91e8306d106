"""What a link opens only together with a one-time code: `GET /data/{token}`, `GET` and `POST
/erasure/{token}`.

A right code leads on to a link of its own for that one thing, which is good for minutes, and never
for longer than the link that it was said on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from fastapi import Form as FormOf
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel, ConfigDict

from features.errors import NotFound
from serving.access.caller import Caller
from serving.access.one_time_codes import GoodFor
from serving.access.signed_links import LIFE, OPENED_BY_CODE, Page
from serving.access.visits import Visit
from serving.bootstrap import Sayso
from serving.http.boundary.parts import RequestId
from serving.http.boundary.scoped_routes import Service
from serving.http.pages.page_route import HEADERS, PageRoute, page, reader_for
from serving.pages.changes import PreferenceForm
from serving.pages.narrowing import WhyForm
from serving.pages.preferences import code_page, erased_page, erasure_page
from serving.pages.reader import Reader

router = APIRouter(include_in_schema=True, tags=["pages"], route_class=PageRoute)
OPENS: Mapping[str, tuple[GoodFor, Page, timedelta]] = {
    "choices": (GoodFor.PREFERENCES, Page.PREFERENCES, OPENED_BY_CODE),
    "download": (GoodFor.DATA, Page.DATA, LIFE[Page.DATA]),
    "erase": (GoodFor.ERASURE, Page.ERASURE, LIFE[Page.ERASURE]),
}
"""What a code has to be good for, the page that it opens, and for how long."""


class ErasureForm(BaseModel):
    """The form that erases."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    confirmed: Literal["yes"]


def require_customer(sayso: Sayso, visit: Visit) -> int:
    """Whom a visit is about. Raises `NotFound` for nobody known, or somebody who was erased."""
    if visit.customer is None:
        raise NotFound("There is no such customer.")
    customer = sayso.shop.customers.kept(visit.customer)
    if not sayso.shop.customers.external_ids([customer]):
        raise NotFound("There is no such customer.")
    return customer


def answer_code(
    sayso: Sayso, visit: Visit, form: PreferenceForm | WhyForm, reader: Reader
) -> Response:
    """Tell the shop that a code is wanted, or go on with the one that the form says."""
    customer = require_customer(sayso, visit)
    if form.act == "ask_code":
        wanted = form.wanted or "choices"
        sayso.codes.ask(customer, OPENS[wanted][0])
        where = reader.address(visit.path, step=wanted, code="asked")
        return RedirectResponse(where, 303, headers=HEADERS)
    good_for, opened, lasts = OPENS[form.act]
    if form.code is None:
        return page(code_page(sayso, visit.path, form.act, reader, None), 403)
    if not sayso.codes.use(customer, good_for, form.code):
        return page(code_page(sayso, visit.path, form.act, reader, "refused"), 403)
    left = visit.link.expires_at - sayso.shop.clock()
    path = sayso.links.path(opened, str(customer), visit.link.key_id, min(lasts, left))
    return RedirectResponse(reader.address(path), 303, headers=HEADERS)


@router.get(
    "/data/{token}", responses={200: {"content": {"application/json": {}}}}, response_model=None
)
def data(token: str, sayso: Service, request_id: RequestId) -> Response:
    """Everything that is held of a customer, as a file."""
    visit = sayso.visits.begin(Page.DATA, token)
    customer = require_customer(sayso, visit)
    sayso.audit_log.read(visit.caller(request_id), "download", customer)
    held = sayso.rights.export(_external_id(sayso, customer))
    headers = {**HEADERS, "Content-Disposition": 'attachment; filename="my-data.json"'}
    text = json.dumps(held, ensure_ascii=False, default=str, indent=1)
    return Response(text, media_type="application/json", headers=headers)


@router.get("/erasure/{token}", response_class=HTMLResponse)
def erasure(token: str, sayso: Service, language: str | None = None) -> HTMLResponse:
    """What erasing does, with the button that does it."""
    require_customer(sayso, sayso.visits.begin(Page.ERASURE, token))
    return page(erasure_page(sayso, token, reader_for(sayso, language, None)))


@router.post("/erasure/{token}", response_class=HTMLResponse)
def erase_by_link(
    token: str,
    sayso: Service,
    request_id: RequestId,
    form: Annotated[ErasureForm, FormOf()],  # noqa: ARG001 - its type asks for the confirmation
    language: str | None = None,
) -> HTMLResponse:
    """Erase; pressed again it shows the same receipt."""
    visit = sayso.visits.begin(Page.ERASURE, token)
    receipt = _erased(sayso, int(visit.link.subject), visit.caller(request_id))
    return page(erased_page(sayso, receipt, reader_for(sayso, language, None)))


def _erased(sayso: Sayso, customer: int, caller: Caller) -> Mapping[str, Any]:
    """The receipt of an erasure, done now or by another press of the same button."""
    try:
        return sayso.rights.erase(_external_id(sayso, customer), caller)
    except NotFound:
        receipt = sayso.rights.receipt(customer)
        if receipt is None:
            raise
        return receipt


def _external_id(sayso: Sayso, customer: int) -> str:
    found = sayso.shop.customers.external_ids([customer])
    if not found:
        raise NotFound("There is no such customer.")
    return found[customer]
