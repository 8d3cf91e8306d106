"""What surrounds every route: no body larger than a limit is read, every request is counted and
timed, and what nobody expected is answered with a problem document.
"""

from __future__ import annotations

import logging
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.http.boundary.metrics import count
from serving.http.boundary.problems import problem

MOST_BYTES = 1_000_000
WITHOUT_BODY = frozenset({"GET", "HEAD", "DELETE", "OPTIONS"})

log = logging.getLogger("sayso.http")


class Envelope:
    """ASGI middleware.

    A body of more than a megabyte is refused with 413, whether or not it announced its length. An
    error that no handler knows is answered and the connection stays open for the next request; an
    exception handler for `Exception` would answer too, but the error then goes on to the server,
    which closes the connection under a client that is already sending its next request.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with its body read; where that fails before an answer began, answer
        in its place.
        """
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 0

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._answer(scope, receive, noted)
        except Exception as error:
            if status:
                raise
            # its text or traceback may hold what customers shared
            log.error("a request failed: %s", type(error).__name__)  # noqa: TRY400 - as said above
            await problem(500, "Something went wrong on our side.")(scope, receive, noted)
        finally:
            count(scope, status or 500, time.perf_counter() - began)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] in WITHOUT_BODY:
            await self._app(scope, receive, send)
            return
        body = bytearray()
        while True:
            message = await receive()
            body += message.get("body", b"")
            if len(body) > MOST_BYTES:
                refused = problem(413, f"The body is larger than {MOST_BYTES:,} bytes.")
                await refused(scope, receive, send)
                return
            if message["type"] != "http.request" or not message.get("more_body", False):
                break
        whole: list[Message] = [{"type": "http.request", "body": bytes(body), "more_body": False}]

        async def replayed() -> Message:
            return whole.pop() if whole else await receive()

        await self._app(scope, replayed, send)
