"""No body larger than a limit is read."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.http.boundary.problems import problem

MOST_BYTES = 1_000_000


class BodyLimit:
    """ASGI middleware: a body of more than a megabyte is refused with 413, whether or not it
    announced its length.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with its body read up to the limit."""
        if scope["type"] != "http" or scope["method"] in {"GET", "HEAD", "DELETE", "OPTIONS"}:
            await self._app(scope, receive, send)
            return
        body = bytearray()
        while True:
            message = await receive()
            body += message.get("body", b"")
            if len(body) > MOST_BYTES:
                await problem(413, f"The body is larger than {MOST_BYTES:,} bytes.")(
                    scope, receive, send
                )
                return
            if message["type"] != "http.request" or not message.get("more_body", False):
                break
        whole: list[Message] = [{"type": "http.request", "body": bytes(body), "more_body": False}]

        async def replayed() -> Message:
            return whole.pop() if whole else await receive()

        await self._app(scope, replayed, send)
