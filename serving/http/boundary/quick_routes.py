"""Routes that are asked all the time: a well-formed request takes one thread once, from its key to
its answer, and passes by what FastAPI does around a function.

Anything else goes the usual way, which says what is wrong with it. So a quick route has the same
function, the same parts and the same refusals, and takes a third of the time.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from fastapi import Request
from fastapi.params import Depends, Header
from pydantic import BaseModel, ValidationError
from starlette.responses import Response
from starlette.types import Scope

from serving.access.api_keys import Key
from serving.http.boundary.lanes import in_thread
from serving.http.boundary.problems import is_known, told
from serving.http.boundary.scoped_routes import ScopedRoute, bearer, let_in, refuse_key
from serving.http.sight.counts import ROUTE

JSON = b"application/json"
NO_STORE = (b"cache-control", b"no-store")
NOBODY = Response()
"""Stands for the answer to who holds no key."""
Part = Callable[[Request], Any]


class QuickRoute:
    """The quick way of one route."""

    def __init__(self, route: ScopedRoute) -> None:
        """Raises `TypeError` where its function wants something that cannot be had quickly."""
        self.route = route
        self._answer: Callable[..., Response] = inspect.unwrap(route.endpoint)
        self._question, self._model, self._parts = _wanted(self._answer)

    async def answered(self, scope: Scope, body: bytes) -> Response | None:
        """The answer to a request; None for one that has to go the usual way."""
        request = Request(scope)
        kinds = [value for name, value in scope["headers"] if name == b"content-type"]
        secret = bearer(request)
        if kinds != [JSON] or secret is None:
            return None
        scope[ROUTE] = self.route
        try:
            async with self.route.lane(scope["app"].state.lanes).place():
                answer = await in_thread(self._worked_out, request, body, secret)
            if answer is NOBODY:
                refuse_key(request)
        except Exception as error:
            if not is_known(error):
                raise
            return await told(request, error)
        if answer is not None:
            answer.raw_headers.append(NO_STORE)
        return answer

    def _worked_out(self, request: Request, body: bytes, secret: str) -> Response | None:
        """In a thread: the answer to whoever holds a key, `NOBODY` for who does not; None for a
        body that has to go the usual way.
        """
        key: Key | None = let_in(request, secret, self.route.scope)
        if key is None:
            return NOBODY
        question = self._read(body)
        if question is None:
            return None
        parts = {name: part(request) for name, part in self._parts.items()}
        return self._answer(**{self._question: question}, **parts)

    def _read(self, body: bytes) -> BaseModel | None:
        try:
            return self._model.model_validate(json.loads(body))
        except (ValueError, RecursionError, ValidationError):
            return None


def quick(routes: Iterable[Any]) -> dict[tuple[str, str], QuickRoute]:
    """The quick ways of routes, by method and path."""
    return {
        (method, route.path): QuickRoute(route)
        for route in routes
        if isinstance(route, ScopedRoute)
        for method in route.methods or ()
    }


def _wanted(function: Callable[..., Any]) -> tuple[str, type[BaseModel], Mapping[str, Part]]:
    """What a route's function wants: the name and the model of its question, and its parts."""
    question, parts = None, dict[str, Part]()
    for name, kind in get_type_hints(function, include_extras=True).items():
        if name == "return":
            continue
        if get_origin(kind) is Annotated:
            parts[name] = _part(name, get_args(kind)[1:])
        else:
            question = (name, kind)
    if question is None:
        raise TypeError(f"{function.__name__} takes no body, so it has no quick way")
    return (*question, parts)


def _part(name: str, about: Iterable[Any]) -> Part:
    for one in about:
        if isinstance(one, Depends) and hasattr(one.dependency, "part"):
            part: Part = one.dependency.part  # type: ignore[union-attr]  # it was just looked for
            return part
        if isinstance(one, Header):
            header = name.replace("_", "-")
            return lambda request: request.headers.get(header)
    raise TypeError(f"`{name}` cannot be had quickly")
