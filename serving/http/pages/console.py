"""`/console`: the staff's own pages, behind a key with the scope `review` and a cookie of an
hour.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache
from importlib.resources import files
from typing import Annotated

from fastapi import APIRouter, Form, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from features import clock
from features.errors import NotFound
from features.shop.corrections import Correction, CorrectionRefused
from serving.access.caller import Caller
from serving.access.console_sessions import Staff
from serving.bootstrap import Sayso
from serving.console.decision_view import decision_view
from serving.console.figures import allowed_by_purpose, decided_about, decided_today
from serving.http.boundary.lane_route import LaneRoute
from serving.http.boundary.parts import Service
from serving.http.pages.console_door import (
    Calling,
    FormFields,
    SignedIn,
    StaffRoute,
    console_page,
    message,
)
from serving.http.pages.page_route import HEADERS
from serving.reviews.review import AlreadyResolved, Effects, Review, ReviewRefused, Status, Verdict

MOST_LISTED = 50
MOST_READS = 300
Field = Annotated[str, Form()]
router = APIRouter(include_in_schema=False, route_class=LaneRoute)
staffed = APIRouter(prefix="/console", route_class=StaffRoute)


@router.get("/console/console.css")
async def style() -> Response:
    """The console's own style sheet, which builds on the pages'."""
    return Response(
        _style(),
        media_type="text/css",
        headers={"Cache-Control": "max-age=3600", "X-Content-Type-Options": "nosniff"},
    )


@lru_cache(1)
def _style() -> str:
    return files("serving.console").joinpath("console.css").read_text(encoding="utf-8")


@staffed.get("")
def queue(
    sayso: Service, staff: SignedIn, caller: Calling, done: str | None = None
) -> HTMLResponse:
    """Who waits for a person, those due first at the head."""
    sayso.audit_log.read(caller, "queue of reviews")
    resolved = [review for review in sayso.reviews.queue(None, MOST_LISTED) if not review.open]
    said = {
        "upheld": "The decision was upheld.",
        "overridden": "The decision was overridden, and that took effect.",
    }
    waiting, open = sayso.reviews.waiting(), sayso.reviews.queue(most=MOST_LISTED)
    told = {
        "waiting": waiting,
        "open": open,
        "resolved": resolved,
        "owner": sayso.reviews.owner,
        "done": said.get(done or ""),
    }
    return console_page(sayso, staff, "queue.html.j2", "/console", told)


@staffed.get("/reviews/{id}")
def review(id: str, sayso: Service, staff: SignedIn, caller: Calling) -> HTMLResponse:
    """One review, with what the customer wrote and was told."""
    try:
        found = sayso.reviews.find(id)
    except NotFound as error:
        return message(sayso, staff, "Not found", str(error), 404)
    sayso.audit_log.read(caller, "review", found.customer)
    return _review(sayso, staff, found, {})


@staffed.post("/reviews/{id}")
def resolve(
    id: str, sayso: Service, staff: SignedIn, caller: Calling, form: FormFields
) -> Response:
    """Record the outcome; where it is refused, the form comes back as it was filled, with what is
    wrong.
    """
    return _resolve(sayso, staff, caller, id, form)


@staffed.get("/decisions")
def decisions(sayso: Service, staff: SignedIn, caller: Calling) -> HTMLResponse:
    """What was decided today."""
    sayso.audit_log.read(caller, "decisions of today")
    return console_page(
        sayso,
        staff,
        "decisions.html.j2",
        "/console/decisions",
        {"decided": decided_today(sayso.shop)},
    )


@staffed.get("/decisions/{id}")
def decision(id: str, sayso: Service, staff: SignedIn, caller: Calling) -> HTMLResponse:
    """One decision, as its customer sees it."""
    try:
        view, customer = decision_view(sayso, id)
    except NotFound as error:
        return message(sayso, staff, "Not found", str(error), 404)
    sayso.audit_log.read(caller, "decision", customer)
    return console_page(sayso, staff, "decision.html.j2", "", {"view": view})


@staffed.get("/consents")
def consents(sayso: Service, staff: SignedIn, caller: Calling) -> HTMLResponse:
    """How many customers allow what."""
    sayso.audit_log.read(caller, "counts of consents")
    return console_page(
        sayso,
        staff,
        "consents.html.j2",
        "/console/consents",
        {"purposes": allowed_by_purpose(sayso.shop)},
    )


@staffed.get("/search")
def search(sayso: Service, staff: SignedIn) -> HTMLResponse:
    """The form to find a customer."""
    return console_page(sayso, staff, "search.html.j2", "/console/search", {"found": None})


@staffed.post("/search")
def find(sayso: Service, staff: SignedIn, caller: Calling, customer_id: Field = "") -> HTMLResponse:
    """A customer's consents and decisions. By POST, so that the id stands in no address."""
    customer = sayso.shop.customers.find(customer_id.strip())
    sayso.audit_log.read(caller, "customer", customer)
    if customer is None:
        return console_page(
            sayso,
            staff,
            "search.html.j2",
            "/console/search",
            {"found": None, "problem": "There is no such customer."},
            404,
        )
    found = {
        "customer_id": customer_id.strip(),
        "state": sayso.shop.ledger.state(customer),
        "opt_outs": sayso.opt_outs.of(customer),
        "reviews": sayso.reviews.of(customer),
        "decisions": decided_about(sayso.shop, customer),
    }
    return console_page(sayso, staff, "search.html.j2", "/console/search", {"found": found})


@staffed.get("/reads")
def reads(sayso: Service, staff: SignedIn, caller: Calling) -> HTMLResponse:
    """Who read whose data, and the codes that customers wait for."""
    sayso.audit_log.read(caller, "audit log")
    told = {
        "reads": sayso.audit_log.newest(MOST_READS),
        "kept_days": sayso.shop.config.shop.audit_log_kept_days,
        "wanted": sayso.codes.wanted(),
    }
    return console_page(sayso, staff, "reads.html.j2", "/console/reads", told)


@staffed.get("/calls")
def calls(sayso: Service, staff: SignedIn, caller: Calling) -> HTMLResponse:
    """Which of the shop's own programs are called, and what they did not take."""
    sayso.audit_log.read(caller, "calls out")
    told = {"webhooks": sayso.targets.all(), "failed": sayso.queue.failures()}
    return console_page(sayso, staff, "calls.html.j2", "/console/calls", told)


router.include_router(staffed)


def _resolve(sayso: Sayso, staff: Staff, caller: Caller, id: str, form: dict[str, str]) -> Response:
    try:
        found = sayso.reviews.find(id)
        sayso.audit_log.read(caller, "outcome of a review", found.customer)
        verdict = _verdict(form, staff, caller)
        one_line = not staff.key.allows("correct-bulk")
        resolved = sayso.reviews.resolve(id, verdict, one_line=one_line)
    except NotFound as error:
        return message(sayso, staff, "Not found", str(error), 404)
    except AlreadyResolved as error:
        return message(sayso, staff, "Resolved already", str(error), 409)
    except (ReviewRefused, CorrectionRefused) as error:
        return _review(sayso, staff, found, form, str(error), 422)
    return RedirectResponse(f"/console?done={resolved.status}", 303, headers=HEADERS)


def _verdict(form: dict[str, str], staff: Staff, caller: Caller) -> Verdict:
    """What the form says, by whoever is signed in.

    Raises `ReviewRefused` for an outcome or a day that does not exist, and for a correction by
    somebody who may not correct.
    """
    said = {name: value.strip() or None for name, value in form.items()}
    if said.get("outcome") not in {Status.UPHELD, Status.OVERRIDDEN}:
        raise ReviewRefused("Choose whether the decision is upheld or overridden.", field="outcome")
    field, value, order = (said.get(name) for name in ("field", "value", "order_id"))
    if (field is None) != (value is None):
        raise ReviewRefused(
            "A field that is put right and its right value go together.", field="value"
        )
    if field is not None and not staff.key.allows("correct"):
        raise ReviewRefused(
            "Your key does not have the scope `correct`, so it puts no field right.", field="field"
        )
    correction = None if field is None or value is None else Correction(field, value, order)
    effects = Effects(
        said.get("suppress"), correction, said.get("band"), _end_of(said.get("band_until"))
    )
    return Verdict(
        Status(form["outcome"]), form.get("reason", ""), staff.key.owner, effects, caller.actor
    )


def _end_of(day: str | None) -> str | None:
    if day is None:
        return None
    try:
        return clock.to_text(datetime.strptime(day, "%Y-%m-%d") + timedelta(days=1))  # noqa: DTZ007 - the form says UTC, as `to_text` takes it
    except (ValueError, OverflowError):
        raise ReviewRefused(
            f"{day!r} is no day; write it as 2026-12-31.", field="band_until"
        ) from None


def _review(
    sayso: Sayso,
    staff: Staff,
    found: Review,
    form: dict[str, str],
    problem: str | None = None,
    status: int = 200,
) -> HTMLResponse:
    view, _ = decision_view(sayso, found.decision_id)
    fields = [
        field
        for field in sayso.shop.config.catalog.fields.values()
        if staff.key.allows("correct") and field.table in sayso.shop.workspace.tables.personal
    ]
    filled = (
        dict.fromkeys(
            (
                "outcome",
                "suppress",
                "band",
                "band_until",
                "field",
                "value",
                "order_id",
                "reason",
            )
        )
        | form
    )
    values = {"review": found, "view": view, "fields": fields, "form": filled, "problem": problem}
    return console_page(sayso, staff, "review.html.j2", "", values, status)
