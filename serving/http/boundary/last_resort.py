"""What nobody expected is answered with a problem document, and the connection stays open for the
next request.
"""

from __future__ import annotations

import logging

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.http.boundary.problems import problem

log = logging.getLogger("sayso.http")


class LastResort:
    """ASGI middleware: catches every error that no handler knows.

    An exception handler for `Exception` would answer too, but the error then goes on to the server,
    which closes the connection under a client that is already sending its next request.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; where that fails before an answer began, answer in its place."""
        began = False

        async def noted(message: Message) -> None:
            nonlocal began
            began = began or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, noted)
        except Exception as error:
            if began or scope["type"] != "http":
                raise
            log.error("a request failed: %s", type(error).__name__)  # noqa: TRY400 - its text or traceback may hold what customers shared
            await problem(500, "Something went wrong on our side.")(scope, receive, send)
