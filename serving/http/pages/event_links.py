"""What messages tell by themselves: `GET /e/{token}.gif`, a picture that was loaded, and `GET
/e/{token}?to=...`, a link that was followed.

A link leads on whatever becomes of the event, and only to the shop's own sites. Nothing is recorded
of who only looks ahead: of `HEAD`, of a browser that fetches in advance, and of anything that its
browser did not open as a page.
"""

from __future__ import annotations

import base64
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy.exc import SQLAlchemyError
from starlette.types import Scope

from features import clock
from features.errors import NotFound, SaysoError
from features.events.event import DecisionEvent, Kind
from serving.access.privacy_signal import HONOURED, SAID
from serving.access.signed_text import NotOurs, TooOld
from serving.bootstrap import Sayso
from serving.events.intake import Told
from serving.events.links import LONGEST_TARGET, event_id, is_within
from serving.http.boundary.scoped_routes import Service
from serving.http.pages.page_route import HEADERS, PageRoute
from serving.http.sight.counts import count_event
from serving.http.sight.logs import log_failure
from serving.pages.privacy_signal import note

PICTURE = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
"""One transparent point."""
ACTOR = "link"
IN_ADVANCE = ("Sec-Purpose", "Purpose", "X-Purpose", "X-Moz")
"""Headers of a browser that fetches what may be opened later."""


class EventRoute(PageRoute):
    """A route that tells `HEAD` from `GET`."""

    def _read(self, scope: Scope) -> Scope:
        return scope


router = APIRouter(tags=["pages"], route_class=EventRoute)


@router.head("/e/{token}.gif", include_in_schema=False)
@router.get(
    "/e/{token}.gif",
    response_class=Response,
    responses={200: {"content": {"image/gif": {}}}},
)
def picture(token: str, request: Request, sayso: Service) -> Response:
    """A picture for a message: that it was loaded tells that the list of the decision was shown.

    It is one transparent point, whatever becomes of the event.
    """
    headers = _told(request, sayso, token, "shown", None)
    return Response(PICTURE, media_type="image/gif", headers={**HEADERS, **headers})


@router.head("/e/{token}", include_in_schema=False)
@router.get("/e/{token}", status_code=303, response_class=RedirectResponse)
def follow(
    token: str,
    request: Request,
    sayso: Service,
    to: Annotated[
        str,
        Query(max_length=LONGEST_TARGET, description="Where to go: an address of the shop's own."),
    ],
    product_id: Annotated[
        str | None, Query(max_length=128, description="The product that the link is on.")
    ] = None,
) -> Response:
    """A link for a message: tells that a product of the decision was clicked, and leads on to one
    of the shop's own sites (`[events] origins` of `sayso.toml`), nowhere else.
    """
    if not is_within(to, sayso.shop.config.events.origins):
        raise NotFound("This link leads to none of the shop's own sites.")
    headers = _told(request, sayso, token, "clicked", product_id)
    return RedirectResponse(to, 303, headers={**HEADERS, **headers})


def _told(
    request: Request, sayso: Sayso, token: str, kind: Kind, product_id: str | None
) -> dict[str, str]:
    """Record what a link tells, as far as it may be; headers for its answer."""
    if request.method != "GET" or _in_advance(request, kind):
        return {}
    signalled = request.headers.get("sec-gpc") == SAID
    try:
        decision = sayso.event_links.read(token)
        if signalled:
            note(sayso, sayso.decisions.find(decision)[0].customer)
        else:
            _take(sayso, decision, kind, product_id)
    except (NotOurs, TooOld, NotFound):
        pass
    except (SaysoError, SQLAlchemyError, OSError) as error:
        log_failure("an event of a link was not recorded", error)
    return HONOURED if signalled else {}


def _take(sayso: Sayso, decision: str, kind: Kind, product_id: str | None) -> None:
    event = DecisionEvent(
        event_id(decision, kind, product_id),
        decision,
        kind,
        clock.to_text(sayso.shop.clock()),
        product_id,
    )
    known = sayso.events.is_known(event.event_id)
    became = "duplicate" if known else _became(sayso, event)
    count_event(kind, became)


def _became(sayso: Sayso, event: DecisionEvent) -> str:
    (fate,) = sayso.events.take([Told(event)], ACTOR, reports=False)
    return fate.became


def _in_advance(request: Request, kind: Kind) -> bool:
    """Whether nobody has opened anything yet, as far as the browser tells."""
    told = " ".join(request.headers.get(name, "") for name in IN_ADVANCE).lower()
    if any(word in told for word in ("prefetch", "prerender", "preview")):
        return True
    return kind == "clicked" and request.headers.get("sec-fetch-mode", "navigate") != "navigate"
