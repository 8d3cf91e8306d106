"""The door of the console: who is let in, by a key with the scope `review` and a cookie of an
hour, and how they leave.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from features import clock
from serving.access.caller import Caller
from serving.access.console_sessions import COOKIE, LASTS, Staff
from serving.bootstrap import Sayso
from serving.console.rendering import render
from serving.http.boundary.lane_route import Handler, LaneRoute
from serving.http.boundary.lanes import in_thread
from serving.http.boundary.limits import limits_of
from serving.http.boundary.parts import Service, request_id_of, sayso_of
from serving.http.pages.page_route import HEADERS

TOKEN = "form_token"  # noqa: S105 - the name of a form's field

FOREIGN = "The form was not made for this session. Open the page anew."


class StaffRoute(LaneRoute):
    """A route that lets in who is signed in, and takes a form only from a page of theirs; both
    before anything else is read.
    """

    def guarded(self, handle: Handler) -> Handler:
        """The handler, behind the check of the cookie."""

        async def checked(request: Request) -> Response:
            sessions = sayso_of(request).sessions
            staff = await in_thread(sessions.staff, request.cookies.get(COOKIE))
            if staff is None:
                return _login(sayso_of(request), 401)
            if request.method == "POST" and not sessions.is_ours(
                staff, str((await request.form()).get(TOKEN, ""))
            ):
                return message(sayso_of(request), staff, "That did not work", FOREIGN, 403)
            request.state.staff = staff
            return await handle(request)

        return checked


async def staff_of(request: Request) -> Staff:
    """Who asks; a `StaffRoute` has let them in."""
    staff: Staff = request.state.staff
    return staff


def caller_of(request: Request) -> Caller:
    """Who asks, as records name them."""
    staff: Staff = request.state.staff
    return staff.caller(request_id_of(request))


async def fields_of(request: Request) -> dict[str, str]:
    """A form as it was filled."""
    return {name: str(value) for name, value in (await request.form()).items()}


SignedIn = Annotated[Staff, Depends(staff_of)]
Calling = Annotated[Caller, Depends(caller_of)]
FormFields = Annotated[dict[str, str], Depends(fields_of)]
Field = Annotated[str, Form()]


class LoginRoute(LaneRoute):
    """The route of the login, where those who fail wait."""

    def get_route_handler(self) -> Handler:
        """The handler, which counts who did not get in, and lets them wait outside."""
        handle = super().get_route_handler()

        async def counted(request: Request) -> Response:
            answer = await handle(request)
            if answer.status_code == 401:
                await asyncio.sleep(limits_of(request).failures.count(request, "logins"))
            return answer

        return counted


router = APIRouter(include_in_schema=False, route_class=LoginRoute)
signed_in = APIRouter(prefix="/console", route_class=StaffRoute)


@router.post("/console/login")
def login(request: Request, sayso: Service, key: Field = "") -> Response:
    """Open the console with a key."""
    cookie = None if _comes_from_elsewhere(request, sayso) else sayso.sessions.begin(key)
    if cookie is None:
        return _login(
            sayso,
            401,
            "This key does not open the console: it is not known, was revoked, or lacks the scope"
            " `review`.",
        )
    response = RedirectResponse("/console", 303, headers=HEADERS)
    _set(sayso, response, cookie, int(LASTS.total_seconds()))
    return response


@signed_in.post("/logout")
def logout(sayso: Service, staff: SignedIn) -> Response:
    """Close the console; a copy of its cookie opens nothing any more."""
    sayso.sessions.end(staff)
    response = RedirectResponse("/console", 303, headers=HEADERS)
    _set(sayso, response, "", 0)
    return response


def _login(sayso: Sayso, status: int, problem: str | None = None) -> HTMLResponse:
    return console_page(sayso, None, "login.html.j2", "", {"problem": problem}, status)


def message(sayso: Sayso, staff: Staff, title: str, text: str, status: int) -> HTMLResponse:
    """A page of the console that says one thing."""
    return console_page(sayso, staff, "message.html.j2", "", {"title": title, "text": text}, status)


def _set(sayso: Sayso, response: Response, cookie: str, seconds: int) -> None:
    response.set_cookie(
        COOKIE,
        cookie,
        seconds,
        path="/console",
        httponly=True,
        samesite="strict",
        secure=sayso.sessions.secure,
    )


def _comes_from_elsewhere(request: Request, sayso: Sayso) -> bool:
    """Whether a form was sent by a page that is not ours; a program without pages says nothing.

    What the browser says of the site comes first: our pages send no referrer, so that browsers hide
    their own origin too and write `null`.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site not in {"same-origin", "none"} or _names_another(request, sayso, {"null"})
    return _names_another(request, sayso, set())


def console_page(
    sayso: Sayso,
    staff: Staff | None,
    template: str,
    at: str,
    values: Mapping[str, Any],
    status: int = 200,
) -> HTMLResponse:
    """A page of the console, as `staff` sees it, where they are signed in."""
    about = {
        "shop": sayso.shop.config.shop.name,
        "staff": staff,
        "at": at,
        "now": clock.to_text(sayso.shop.clock()),
    }
    return HTMLResponse(
        render(template, **{"problem": None, **about, **values}), status, headers=HEADERS
    )


def _names_another(request: Request, sayso: Sayso, also_ours: set[str]) -> bool:
    origin = request.headers.get("origin")
    ours = {request.headers.get("host", ""), urlsplit(sayso.links.base_url).netloc}
    return (
        origin is not None
        and origin not in also_ours
        and urlsplit(origin).netloc not in ours - {""}
    )


router.include_router(signed_in)
