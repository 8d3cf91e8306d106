"""What every route has: its work is done in a thread of a lane, and never in the event loop."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from functools import partial, wraps
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from serving.http.boundary.lanes import Lane, Lanes, in_thread

ONCE: ContextVar[Callable[[Callable[[], Response]], Response] | None] = ContextVar(
    "once", default=None
)
"""Does the work of the request at hand, if it has not been done before; None where it is done
however often it comes.
"""
Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class LaneRoute(APIRoute):
    """A route whose function, if it is no coroutine, runs in a thread of the route's lane."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        self.is_threaded = getattr(endpoint, "is_threaded", None) or not (
            inspect.iscoroutinefunction(endpoint)
        )
        super().__init__(path, _threaded(endpoint) if self.is_threaded else endpoint, **options)

    def lane(self, lanes: Lanes) -> Lane:
        """The lane on which requests of this route take their turn."""
        return lanes.answers

    def guarded(self, handle: Handler) -> Handler:
        """The handler behind what has to be checked before anything is read."""
        return handle

    def get_route_handler(self) -> Handler:
        """The handler, which waits for its turn."""
        handle = self.guarded(super().get_route_handler())
        if not self.is_threaded:
            return handle

        async def placed(request: Request) -> Response:
            async with self.lane(request.app.state.lanes).place():
                return await handle(request)

        return placed


def _threaded(endpoint: Callable[..., Any]) -> Callable[..., Any]:
    if inspect.iscoroutinefunction(endpoint):  # it is already
        return endpoint

    @wraps(endpoint)
    async def run(*arguments: Any, **named: Any) -> Any:
        once = ONCE.get()
        if once is None:
            return await in_thread(endpoint, *arguments, **named)
        return await in_thread(once, partial(endpoint, *arguments, **named))

    # FastAPI reads the signature here, with its annotations as what they name
    run.__signature__ = inspect.signature(endpoint, eval_str=True)  # type: ignore[attr-defined]
    run.is_threaded = True  # type: ignore[attr-defined]
    return run
