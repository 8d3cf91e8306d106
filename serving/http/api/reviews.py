"""`POST /v1/reviews`, `GET /v1/reviews`, `POST /v1/reviews/{id}/resolve`, and the customer's own
way, `POST /why/{token}/review`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Query
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException

from features import clock
from features.shop.corrections import Correction
from serving.access.caller import Caller
from serving.access.signed_links import Page
from serving.bootstrap import Sayso
from serving.contract.requests import ResolveRequest, ReviewRequest, document
from serving.contract.responses import ReviewAnswer, ReviewList
from serving.decisions.record import DecisionDamaged
from serving.http.boundary.parts import Calling, CallingKey, RequestId
from serving.http.boundary.scoped_routes import (
    Service,
    changes_files,
    require,
    scope,
    scoped_router,
)
from serving.http.pages.page_route import HEADERS, PageRoute
from serving.reviews.review import Effects, Review, ReviewRefused, Status, Verdict

router = APIRouter()
staff = scoped_router()
customers = APIRouter(route_class=PageRoute)


@staff.post(
    "/reviews",
    status_code=201,
    responses={200: {"model": ReviewAnswer}, 201: {"model": ReviewAnswer}},
    **scope("review"),
)
def ask(request: ReviewRequest, sayso: Service, caller: Calling) -> Response:
    """Ask a person to look at a decision.

    While a review of it is open that one is answered, with 200 in place of 201.
    """
    review, new = sayso.reviews.ask(request.decision_id, request.text, caller.actor)
    sayso.audit_log.read(caller, "review", review.customer)
    return JSONResponse(told(sayso, review), 201 if new else 200)


@staff.get(
    "/reviews", responses={200: {"model": ReviewList}}, response_model=None, **scope("review")
)
def queue(
    sayso: Service,
    caller: Calling,
    status: Literal["open", "upheld", "overridden", "all"] = "open",
    most: Annotated[int, Query(ge=1, le=500)] = 50,
) -> JSONResponse:
    """Reviews, those due first at the head, each with the explanation that the customer sees."""
    waiting = sayso.reviews.waiting()
    found = sayso.reviews.queue(None if status == "all" else Status(status), most)
    if found:
        sayso.audit_log.read(caller, "reviews", *(review.customer for review in found))
    return JSONResponse(
        {
            "open": waiting.open,
            "overdue": waiting.overdue,
            "reviews": [told(sayso, review) for review in found],
        }
    )


@staff.post(
    "/reviews/{id}/resolve",
    responses={200: {"model": ReviewAnswer}},
    response_model=None,
    **scope("review"),
)
@changes_files
def resolve(
    id: str, request: ResolveRequest, sayso: Service, key: CallingKey, caller: Calling
) -> JSONResponse:
    """Uphold or override a decision, with a reason; the reviewer is the key's owner.

    Overriding takes effect before the answer comes. Correcting data by it needs the scope `correct`
    too, and `correct-bulk` for more than one line.
    """
    if request.correction is not None:
        require(key, "correct")
    verdict = _verdict(request, key.owner, caller)
    review = sayso.reviews.resolve(id, verdict, one_line=not key.allows("correct-bulk"))
    sayso.audit_log.read(caller, "outcome of a review", review.customer)
    return JSONResponse(told(sayso, review))


@customers.post("/why/{token}/review", response_class=HTMLResponse, tags=["pages"])
def contest(
    token: str,
    sayso: Service,
    request_id: RequestId,
    text: Annotated[str, Form()] = "",
    language: Annotated[
        str | None, Query(max_length=35, description="Language of the page.")
    ] = None,
) -> Response:
    """A customer asks a person to look at the decision of a page, then sees that page with what
    became of it.
    """
    visit = sayso.visits.begin(Page.WHY, token)
    actor = visit.caller(request_id).actor
    try:
        sayso.reviews.ask(visit.link.subject, text, actor)
    except ReviewRefused as error:
        raise HTTPException(422, str(error)) from None
    kept = f"?{urlencode({'language': language})}" if language else ""
    return RedirectResponse(f"/why/{token}{kept}", 303, headers=HEADERS)


router.include_router(staff)
router.include_router(customers)


def told(sayso: Sayso, review: Review) -> dict[str, Any]:
    """A review as an answer, with the decision as it was recorded."""
    try:
        decision, customer_id = sayso.decisions.find(review.decision_id)
        shown = sayso.decisions.told(decision)
    except DecisionDamaged:  # past its retention, or altered: the review can still be answered
        shown = None
    return {
        **review.document(clock.to_text(sayso.shop.clock())),
        "customer_id": customer_id,
        "decision": shown,
    }


def _verdict(request: ResolveRequest, reviewer: str, caller: Caller) -> Verdict:
    corrected = None if request.correction is None else Correction(**document(request.correction))
    until = None if request.band_until is None else clock.to_text(request.band_until)
    effects = Effects(request.suppress, corrected, request.band, until)
    return Verdict(Status(request.outcome), request.reason, reviewer, effects, caller.actor)
