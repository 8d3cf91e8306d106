"""An answer that streams in parts, which are made one after the other in a thread on the lane of
batches. Nothing is sent before the first part is there, so what is refused until then is refused as
any request is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from features.database.caller import current_caller
from serving.http.boundary.lanes import Lanes, in_thread
from serving.http.boundary.lines import NDJSON


class PartsResponse(Response):
    """The parts that `parts` gives; one that is empty is a step on the way to the next.

    Each has the time that one answer has.
    """

    media_type = NDJSON

    def __init__(
        self, parts: Iterator[bytes], media_type: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(None, headers=headers, media_type=media_type)
        del self.headers["content-length"]  # nobody knows it yet
        self._parts = parts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - as every response is called
        """Send the parts; stop where nobody takes them any more.

        Raises `Refused` where no place is free on the lane in time, and what the first parts raise.
        """
        lanes: Lanes = scope["app"].state.lanes
        caller, begun = current_caller(), False
        start = {"type": "http.response.start", "status": self.status_code}
        async with lanes.batches.place():
            while not (caller and caller.gave_up):
                if caller is not None:
                    caller.restart()
                part = await in_thread(next, self._parts, None)
                if part is None:
                    break
                if part and not begun:
                    await send({**start, "headers": self.raw_headers})
                    begun = True
                if part:
                    await send({"type": "http.response.body", "body": part, "more_body": True})
        if not begun:
            await send({**start, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
