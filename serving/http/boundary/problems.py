"""Problem documents (RFC 9457): every refusal in one shape, naming the fields to blame."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DataError, DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnection
from starlette.exceptions import HTTPException
from starlette.responses import Response

from features.database.caller import CallerGone
from features.database.sqlite_file import DatabaseGone
from features.database.turns import DatabaseBusy
from features.errors import (
    ConsentError,
    ModelUnavailable,
    NotFound,
    SaysoError,
    WorkspaceError,
)
from features.shop.corrections import CorrectionRefused, OneLineOnly
from features.shop.visitors import VisitorTaken
from serving.audiences.audience import NobodyGranted, NotTheMoment
from serving.contract import problems
from serving.contract.problems import MEDIA_TYPE, OF_STATUS, ProblemKind
from serving.decisions.deciding import TooBusy
from serving.decisions.kept_answers import AnswerOutdated, KeyReused
from serving.decisions.record import DecisionDamaged
from serving.delivery.opt_outs import TooManyOptOuts
from serving.delivery.product_lists import NoSuchList, TooManyLists
from serving.delivery.sending_moment import SendAtRefused
from serving.http.sight.logs import log, log_failure
from serving.recommending.allowed import UnknownName
from serving.reviews.review import AlreadyResolved, ReviewRefused
from serving.webhooks.addresses import AddressRefused
from serving.webhooks.targets import NotSigned, TooManyWebhooks

RETRY_SECONDS = 30
KIND_OF: Mapping[type[SaysoError], ProblemKind] = {
    NotFound: problems.NOT_FOUND,
    ConsentError: problems.CONSENT_REFUSED,
    OneLineOnly: problems.ONE_LINE_ONLY,
    CorrectionRefused: problems.CORRECTION_REFUSED,
    TooBusy: problems.CONSENT_CHANGING,
    AnswerOutdated: problems.ANSWER_OUTDATED,
    KeyReused: problems.KEY_REUSED,
    ModelUnavailable: problems.MODEL_UNAVAILABLE,
    DecisionDamaged: problems.DECISION_DAMAGED,
    ReviewRefused: problems.REVIEW_REFUSED,
    AlreadyResolved: problems.ALREADY_RESOLVED,
    TooManyOptOuts: problems.TOO_MANY_OPT_OUTS,
    NoSuchList: problems.NO_SUCH_LIST,
    TooManyLists: problems.TOO_MANY_LISTS,
    UnknownName: problems.UNKNOWN_NAME,
    VisitorTaken: problems.VISITOR_TAKEN,
    NobodyGranted: problems.NOBODY_GRANTED,
    NotTheMoment: problems.NOT_THE_MOMENT,
    SendAtRefused: problems.SEND_AT_REFUSED,
    AddressRefused: problems.ADDRESS_REFUSED,
    NotSigned: problems.NOTHING_TO_SIGN_WITH,
    TooManyWebhooks: problems.TOO_MANY_WEBHOOKS,
    CallerGone: problems.UNAVAILABLE,
    DatabaseGone: problems.UNAVAILABLE,
    DatabaseBusy: problems.UNAVAILABLE,
}
"""What a refusal by the rules is."""
MOST_ERRORS = 20
"""Faults that a problem document names; who has more mends these first."""
MOST_CHARACTERS = 200
"""Of a field's name and of what is said of it, both of which may repeat what was sent."""
RETRY = {"Retry-After": "2"}
UNAVAILABLE = "The database does not answer at the moment. Ask again soon."


class Refused(Exception):
    """A request that is refused with `status`; `detail` says why."""

    def __init__(
        self,
        status: int,
        detail: str,
        errors: Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        delay: float = 0.0,
        kind: ProblemKind | None = None,
    ) -> None:
        """`delay` is for how many seconds it is told to nobody, so that guessing takes time; `kind`
        says more of the reason than the status does.
        """
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = errors
        self.headers = headers
        self.delay = delay
        self.kind = kind


def problem(
    status: int,
    detail: str,
    errors: Sequence[tuple[str, str]] = (),
    headers: Mapping[str, str] | None = None,
    kind: ProblemKind | None = None,
) -> JSONResponse:
    """A refusal as a response, of the first kind of its status where no other is named."""
    kind = kind or OF_STATUS.get(status)
    content = {
        "type": "about:blank" if kind is None else kind.uri,
        "title": HTTPStatus(status).phrase if kind is None else kind.title,
        "status": status,
        "detail": detail,
        "errors": [
            {"field": field[:MOST_CHARACTERS], "detail": said[:MOST_CHARACTERS]}
            for field, said in errors[:MOST_ERRORS]
        ],
    }
    return JSONResponse(content, status, headers=dict(headers or {}), media_type=MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Answer every error of `app` that is known with a problem document;
    `serving.http.boundary.envelope` has the others.
    """
    for kind, tell in TELLERS.items():
        app.add_exception_handler(kind, tell)


def is_known(error: Exception) -> bool:
    """Whether there is a problem document for an error."""
    return isinstance(error, tuple(TELLERS))


async def told(request: Request, error: Exception) -> Response:
    """The problem document of an error that is known."""
    kind = next(kind for kind in type(error).__mro__ if kind in TELLERS)
    return await TELLERS[kind](request, error)


async def _invalid(_request: Request, error: Exception) -> JSONResponse:
    faults = error.errors() if isinstance(error, RequestValidationError) else []
    if any(fault["type"] == "json_invalid" for fault in faults):
        return problem(
            400,
            "The body is not valid JSON.",
            [("body", str(faults[0].get("ctx", {}).get("error", "not JSON")))],
        )
    errors = [(_field(fault["loc"]), fault["msg"]) for fault in faults[:MOST_ERRORS]]
    named = ", ".join(dict.fromkeys(f"`{field[:MOST_CHARACTERS]}`" for field, _ in errors))
    more = "" if len(faults) <= MOST_ERRORS else f", and {len(faults) - MOST_ERRORS} times more"
    return problem(422, f"The request breaks a rule in {named}{more}.", errors)


def _field(location: Sequence[Any]) -> str:
    """A field as the caller wrote it: `basket.0` rather than `body.basket.0`."""
    return ".".join(str(part) for part in location[1:]) or str(location[0])


async def _refused(_request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, Refused):
        raise error
    await asyncio.sleep(error.delay)
    return refused(error)


def refused(error: Refused) -> JSONResponse:
    """A refusal that was raised, as a response."""
    return problem(error.status, error.detail, error.errors, error.headers, error.kind)


async def _refused_by_rule(_request: Request, error: Exception) -> JSONResponse:
    kind = next(
        (kind for one, kind in KIND_OF.items() if isinstance(error, one)), problems.INTERNAL_ERROR
    )
    if isinstance(error, WorkspaceError):
        # What is missing is never made anew on the way to an answer: its operator has to see it.
        log.error("nothing can be answered from this workspace: %s", error)
        later = {"Retry-After": str(RETRY_SECONDS)}
        return problem(503, "The shop's data cannot be used just now. Try later.", headers=later)
    if kind is problems.INTERNAL_ERROR:
        log_failure("a request failed", error)
        return problem(500, "Something went wrong on our side.")
    if kind is problems.UNAVAILABLE:
        return problem(503, UNAVAILABLE, headers=RETRY)
    field = getattr(error, "field", None)
    return problem(kind.status, str(error), [(field, str(error))] if field else [], kind=kind)


async def _unheard_of(_request: Request, _error: Exception) -> JSONResponse:
    """PostgreSQL refuses text that holds a NUL, or more than fits, even in a question."""
    return problem(422, "The request holds text that no name can have, such as a NUL character.")


async def _no_database(_request: Request, error: Exception) -> JSONResponse:
    """It is stopped, locked, full, or has no connection left; asking again helps."""
    if not is_passing(error):
        log_failure("a request failed", error)
        return problem(500, "Something went wrong on our side.")
    log_failure("the database does not answer", error)
    return problem(503, UNAVAILABLE, headers=RETRY)


def is_passing(error: Exception) -> bool:
    """Whether an error of the database or the disk is one after which asking again may help."""
    return isinstance(
        error, (DBAPIError, NoConnection, CallerGone, DatabaseBusy, DatabaseGone, OSError)
    )


async def _http(_request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HTTPException):
        raise error
    detail = error.detail if error.status_code != 404 else "There is nothing at this address."
    return problem(error.status_code, detail, headers=error.headers)


TELLERS: Mapping[type[Exception], Callable[[Request, Exception], Awaitable[Response]]] = {
    RequestValidationError: _invalid,
    Refused: _refused,
    SaysoError: _refused_by_rule,
    HTTPException: _http,
    DataError: _unheard_of,
    SQLAlchemyError: _no_database,
}
"""Who answers which error."""
