"""What every `/v1` route has: a scope that the caller's key must hold, checked before anything else
is read.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any, NoReturn, TypeVar

from fastapi import APIRouter, Depends, Request, Response
from fastapi.security import HTTPBearer

from serving.access.api_keys import Key
from serving.contract.problems import refusals
from serving.http.boundary.idempotency import NAME, PARAMETER, carried_out_once
from serving.http.boundary.lane_route import ONCE, Handler, LaneRoute
from serving.http.boundary.lanes import Lane, Lanes, in_thread
from serving.http.boundary.limits import limits_of
from serving.http.boundary.parts import Service, asking_of, sayso_of
from serving.http.boundary.problems import Refused

__all__ = [
    "SCOPE",
    "Handler",
    "ScopedRoute",
    "Service",
    "require",
    "sayso_of",
    "scope",
    "scoped_router",
]

SCOPE = "x-scope"
KEY = Depends(
    HTTPBearer(
        scheme_name="key",
        auto_error=False,
        description="An API key; `sayso keys create` makes one. `x-scope` of each route names the"
        " scope that it needs.",
    )
)
"""Puts the key into the OpenAPI document; `ScopedRoute` is what checks it."""

PROBLEMS = (400, 401, 403, 404, 408, 409, 413, 415, 422, 429, 500, 503)


class ScopedRoute(LaneRoute):
    """A route that looks at the key first: who may not ask is not told what is wrong with the
    question.

    One that is no `GET` takes an `Idempotency-Key`. A function that has a parameter `once` sees to
    it itself.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        posts = "POST" in (options.get("methods") or ())
        said: dict[str, Any] = options.get("openapi_extra") or {}
        if posts and "parameters" not in said:  # an application makes its routes anew
            options["openapi_extra"] = {**said, "parameters": [PARAMETER]}
        self._keeps = posts and "once" not in inspect.signature(endpoint).parameters
        self._joined = not getattr(endpoint, "changes_files", False)
        super().__init__(path, endpoint, **options)

    def lane(self, lanes: Lanes) -> Lane:
        """What a customer does not want any more is taken however many answers wait."""
        changes = not {"GET"} & (self.methods or set())
        return lanes.choices if changes and self.scope == "consent" else lanes.answers

    @property
    def scope(self) -> str:
        """What a key has to be good for."""
        scope: str = (self.openapi_extra or {})[SCOPE]
        return scope

    def guarded(self, handle: Handler) -> Handler:
        """The handler, behind the check of the key."""
        scope = self.scope

        async def checked(request: Request) -> Response:
            await _check_key(request, scope)
            once = self._keeps and NAME in request.headers
            token = ONCE.set(partial(self._once, request) if once else None)
            try:
                response = await handle(request)
            finally:
                ONCE.reset(token)
            response.headers.setdefault("Cache-Control", "no-store")
            return response

        return checked

    def _once(self, request: Request, work: Callable[[], Response]) -> Response:
        """In a thread: do the work of a request that its caller named, if it is the first time."""
        asking = asking_of(request)
        if asking is None:
            return work()
        return carried_out_once(sayso_of(request), asking, request, work, joined=self._joined)


Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])


def changes_files(endpoint: Endpoint) -> Endpoint:
    """Mark a route's function that changes more than the database, so that what it does cannot be
    one transaction; done twice it has to come to the same.
    """
    endpoint.changes_files = True  # type: ignore[attr-defined]  # read by `ScopedRoute`
    return endpoint


def scoped_router(kind: type[ScopedRoute] = ScopedRoute) -> APIRouter:
    """A router whose routes, of that `kind`, each state a scope (`**scope("recommend")`); one
    without fails as soon as it is made.
    """
    return APIRouter(
        prefix="/v1",
        route_class=kind,
        dependencies=[KEY],
        responses=refusals(*PROBLEMS),
    )


def scope(name: str) -> dict[str, Any]:
    """Arguments of a route that only keys with the scope `name` may call."""
    return {"openapi_extra": {SCOPE: name}, "tags": [name]}


async def _check_key(request: Request, scope: str) -> None:
    if hasattr(request.state, "key"):  # the route's quick way has let it in
        return
    secret = bearer(request)
    if secret is None:
        raise Refused(
            401,
            "This needs an API key: send `Authorization: Bearer <key>`; `sayso keys create` makes"
            " one.",
            headers=ASKS,
        )
    if await in_thread(let_in, request, secret, scope) is None:
        refuse_key(request)


ASKS = {"WWW-Authenticate": "Bearer"}


def bearer(request: Request) -> str | None:
    """The secret that a request brings; None where it brings none."""
    kind, _, secret = request.headers.get("authorization", "").partition(" ")
    return (secret.strip() or None) if kind.lower() == "bearer" else None


def let_in(request: Request, secret: str, scope: str) -> Key | None:
    """The key of that secret, which is the request's from now on; None where there is none.

    It waits for the database, so a thread does it. Raises `Refused` for a key without the scope, or
    one that came too often.
    """
    sayso = sayso_of(request)
    key = sayso.keys.find(secret)
    if key is not None:
        limits_of(request).count_key(key.id)
        sayso.key_uses.note(key.id)
        require(key, scope)
        request.state.key = key
    return key


def refuse_key(request: Request) -> NoReturn:
    """Raises `Refused` for a wrong key: later and later, and in the end before it is looked at."""
    delay = limits_of(request).failures.count(request, "API keys")
    told = "This API key is not known, was revoked, or has ended."
    raise Refused(401, told, headers=ASKS, delay=delay)


def require(key: Key, scope: str) -> None:
    """Raises `Refused` for a key without the scope."""
    if not key.allows(scope):
        raise Refused(403, f"This API key does not have the scope `{scope}`.")
