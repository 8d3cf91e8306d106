"""What every customer's page has: headers that keep it private, the reader's language, and friendly
pages where something is wrong.
"""

from __future__ import annotations

from http import HTTPStatus

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse
from sqlalchemy.exc import DataError, SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.routing import Match
from starlette.types import Receive, Scope, Send

from features.errors import ConsentError, NotFound, SaysoError
from serving.access.signed_links import LinkRefused
from serving.bootstrap import Sayso
from serving.decisions.record import DecisionDamaged
from serving.delivery.opt_outs import TooManyOptOuts
from serving.http.boundary.lane_route import Handler, LaneRoute
from serving.http.boundary.lanes import Lane, Lanes
from serving.http.boundary.limits import limits_of
from serving.http.boundary.parts import sayso_of
from serving.http.boundary.problems import RETRY, Refused, is_passing
from serving.http.sight.logs import log_failure
from serving.pages.reader import Reader, reader_of
from serving.pages.rendering import render

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors"
        " 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Vary": "Accept-Language, Sec-GPC",
    "X-Content-Type-Options": "nosniff",
}
EXPIRED, CLOSED = "This link has expired", "This link does not work"
NEW_LINK = (
    "Links like this one are good for 90 days. Please ask the shop for a new one, or open the"
    " newest message it sent you."
)
REFUSED, REFUSED_TEXT = (
    "That did not work",
    "Nothing was changed. Please go back, load the page again and try once more.",
)
FAILED, FAILED_TEXT = (
    "Something went wrong on our side",
    "Nothing was changed. Please try again in a few minutes.",
)
BUSY, BUSY_TEXT = (
    "That was too much at once",
    "Nothing was changed. Please wait a minute and try again.",
)


def reader_for(
    sayso: Sayso, language: str | None, accept_language: str | None, **kept: str
) -> Reader:
    """The reader of a page."""
    return reader_of(sayso.words, language, accept_language, **kept)


def page(html: str, status: int = 200) -> HTMLResponse:
    """A customer's page as a response."""
    return HTMLResponse(html, status, headers=HEADERS)


class PageRoute(LaneRoute):
    """A route that answers a customer whose link or form is of no use with a page, not with a
    problem document.

    `HEAD` is answered like `GET`, whose body the server then leaves out: programs that check the
    links of a message ask so.
    """

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether the route answers a request."""
        return super().matches(self._read(scope))

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        await super().handle(self._read(scope), receive, send)

    def _read(self, scope: Scope) -> Scope:
        asks = (
            scope["type"] == "http" and scope["method"] == "HEAD" and "GET" in (self.methods or ())
        )
        return {**scope, "method": "GET"} if asks else scope

    def lane(self, lanes: Lanes) -> Lane:
        """What a customer changes is taken however many answers wait."""
        return lanes.choices if "POST" in (self.methods or set()) else lanes.answers

    def guarded(self, handle: Handler) -> Handler:
        """The handler, for a link that is not used too often."""

        async def counted(request: Request) -> Response:
            limits_of(request).count_link(request)
            return await handle(request)

        return counted

    def get_route_handler(self) -> Handler:
        """The handler, with a page for every refusal."""
        handle = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            try:
                return await handle(request)
            except (LinkRefused, NotFound, DecisionDamaged) as error:
                return _closed(request, error)
            except (ConsentError, TooManyOptOuts, RequestValidationError, DataError):
                return _refused(request, 422)
            except HTTPException as error:
                return _refused(request, error.status_code)
            except Refused as error:
                return _later(request, error)
            except (SaysoError, SQLAlchemyError, OSError) as error:
                log_failure("a page failed", error)
                passing = is_passing(error)
                answer = _notice(request, FAILED, FAILED_TEXT, 503 if passing else 500)
                if passing:
                    answer.headers.update(RETRY)
                return answer

        return guarded


def _closed(request: Request, error: SaysoError) -> HTMLResponse:
    expired = isinstance(error, LinkRefused) and error.expired
    return _notice(request, EXPIRED if expired else CLOSED, NEW_LINK, 410 if expired else 404)


def _refused(request: Request, status: int) -> HTMLResponse:
    return _notice(request, REFUSED, REFUSED_TEXT, status if status in set(HTTPStatus) else 422)


def _later(request: Request, error: Refused) -> HTMLResponse:
    """What comes too often, or at a moment when it cannot be answered."""
    status = error.status
    if status not in {429, 503}:
        raise error
    title, text = (BUSY, BUSY_TEXT) if status == 429 else (FAILED, FAILED_TEXT)
    answer = _notice(request, title, text, status)
    answer.headers.update(error.headers or {})
    return answer


def _notice(request: Request, title: str, text: str, status: int) -> HTMLResponse:
    sayso = sayso_of(request)
    language = request.query_params.get("language")
    reader = reader_for(sayso, language and language[:35], request.headers.get("accept-language"))
    return HTMLResponse(
        render("closed.html.j2", reader, title=title, text=text, shop=sayso.shop.config.shop),
        status,
        headers=HEADERS,
    )
