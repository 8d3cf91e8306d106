"""An answer that streams: one line of JSON for each customer of a batch, as they are answered.

A batch has one place on a lane of its own until its last line was taken, so that single answers
never wait behind it. The next customers are answered when the lines of those before were taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from fastapi import Request
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from features.database.caller import Caller, current_caller
from serving.batch.chunks import Batch
from serving.decisions.deciding import Decided
from serving.decisions.document import encoded
from serving.http.boundary.lanes import Lanes, in_thread
from serving.http.boundary.problems import Refused, is_known, problem, told
from serving.http.sight.logs import log_failure

Write = Callable[[str, Decided[Any]], bytes]
"""Writes the line of a customer's answer."""
Line = tuple[str, bytes | Exception]


NDJSON = "application/x-ndjson"


class LinesResponse(JSONResponse):
    """The lines of a batch (NDJSON: https://github.com/ndjson/ndjson-spec)."""

    media_type = NDJSON

    def __init__(
        self, batch: Batch[Any], write: Write, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(None, headers=headers)
        del self.headers["content-length"]  # nobody knows it yet
        self._customer_ids = batch.customer_ids
        self._lines = _lines(batch, write)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - as every response is called
        """Send the lines; stop where nobody takes them any more.

        Raises `Refused` where no place is free on the lane in time.
        """
        lanes: Lanes = scope["app"].state.lanes
        request, caller, given = Request(scope), current_caller(), 0
        async with lanes.batches.place():
            start = {"status": self.status_code, "headers": self.raw_headers}
            await send({"type": "http.response.start", **start})
            while given < len(self._customer_ids) and not (caller and caller.gave_up):
                lines, broken = await self._next(caller, given)
                body = b"".join([await _written(request, *line) for line in lines])
                await send({"type": "http.response.body", "body": body, "more_body": True})
                given += len(lines)
                if broken:
                    break
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _next(self, caller: Caller | None, given: int) -> tuple[Sequence[Line], bool]:
        """The lines of the next customers, and whether the batch ends with them: those who are left
        are told why, where it takes too long.
        """
        if caller is not None:
            caller.restart()
        try:
            lines = await in_thread(next, self._lines, ())
        except Refused as error:
            return [(one, error) for one in self._customer_ids[given:]], True
        return lines, not lines


def _lines(batch: Batch[Any], write: Write) -> Iterator[list[Line]]:
    """In a thread: the lines of each chunk."""
    for chunk in batch.chunks():
        yield [
            (one, outcome if isinstance(outcome, Exception) else write(one, outcome))
            for one, outcome in chunk
        ]


async def _written(request: Request, customer_id: str, said: bytes | Exception) -> bytes:
    """A line as it leaves."""
    if isinstance(said, bytes):
        return said + b"\n"
    if is_known(said):
        answer = await told(request, said)
    else:
        log_failure("a customer of a batch was not answered", said)
        answer = problem(500, "Something went wrong on our side.")
    return encoded({"customer_id": customer_id})[:-1] + b"," + bytes(answer.body)[1:] + b"\n"
