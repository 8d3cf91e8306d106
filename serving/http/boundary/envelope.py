"""What surrounds every route: what comes in is bounded, every request is named, counted and timed,
and what nobody expected is answered with a problem document.
"""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Protocol

import anyio
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from features.config.environment import Settings
from features.database.caller import Caller, Recorded, serving
from serving.http.boundary import bodies
from serving.http.boundary.idempotency import BODY, HEADER
from serving.http.boundary.lanes import Lanes
from serving.http.boundary.problems import Refused, problem, refused
from serving.http.boundary.turnstile import is_choice, turned_away
from serving.http.sight.counts import count, known_method, route_of
from serving.http.sight.logs import log_failure, log_request
from serving.http.sight.request_ids import RequestId, begin, request_id_for
from serving.http.sight.traces import record_span

LONG = ("/v1/customers/", "/preferences/", "/docs.json")
LONGER = 6
"""Export and erasure look through every store and may take so many times as long."""


@dataclass
class _Exchange:
    """One request and what became of it so far."""

    scope: Scope
    receive: Receive
    send: Send
    request_id: RequestId
    caller: Caller
    status: int = 0
    gone: bool = False
    lost: list[Recorded] = field(default_factory=list)

    async def answer(self, answer: Response) -> None:
        """Send an answer that is there as a whole."""
        line: Line | None = self.scope.get(LINE)
        if line is None:
            await answer(self.scope, self.receive, self.sent)
            return
        self.status = answer.status_code
        self.gone = line.is_gone() or not line.answer_at_once(answer, self.request_id)

    async def sent(self, message: Message) -> None:
        """Pass on what the application sends.

        Of an answer that comes in parts, each part is looked after by itself: once it was taken,
        what was recorded for it was delivered, and once nobody takes it, nothing more is made.
        """
        begins, more = message["type"] == "http.response.start", message.get("more_body", False)
        if begins:
            self.status = message["status"]
            message["headers"] = [*message.get("headers", ()), *self.request_id.headers]
        if begins or more:
            await self._look_for_the_caller()
        await self.send(message)
        if more:
            await self._look_for_the_caller()
            if not self.gone and not self.caller.gave_up:
                self.caller.take_recorded()

    async def _look_for_the_caller(self) -> None:
        if self.caller.has_recorded and not self.gone and await _is_gone(self.receive):
            self.gone = True
            self.caller.give_up()


class Line(Protocol):
    """The connection that a request came by, where it can do more than ASGI asks for."""

    def is_gone(self) -> bool:
        """Whether the caller has closed it already."""

    def answer_at_once(self, answer: Response, names: RequestId) -> bool:
        """Send an answer in one piece; whether that could still be done."""


LINE = "sayso.line"
"""Where a request's scope holds its `Line`."""


class Envelope:
    """ASGI middleware.

    An error that no handler knows is answered and the connection stays open for the next request;
    an exception handler for `Exception` would answer too, but the error then goes on to the server,
    which closes the connection under a client that is already sending its next request.

    What was recorded for a caller who cannot have got the answer goes to `app.state.undelivered`.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with its body read; where that fails before an answer began, answer
        in its place.
        """
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        state = scope["app"].state
        seconds = self._settings.answer_seconds * (LONGER if scope["path"].startswith(LONG) else 1)
        urgent = is_choice(scope["method"], scope["path"])
        caller = Caller(seconds, state.undelivered.note, urgent=urgent)
        exchange = _Exchange(scope, receive, send, request_id_for(scope["headers"]), caller)
        begin(exchange.request_id)
        with serving(caller):
            try:
                await self._guarded(exchange, state.lanes)
            finally:
                self._finish(exchange, began)

    async def _guarded(self, exchange: _Exchange, lanes: Lanes) -> None:
        scope, receive = exchange.scope, exchange.receive
        try:
            await self._answer(exchange, lanes)
        except bodies.Disconnected:
            await problem(400, "The request ended early.")(scope, receive, exchange.sent)
        except Refused as error:
            await refused(error)(scope, receive, exchange.sent)
        except Exception as error:
            if exchange.status:
                exchange.gone = True
                raise
            log_failure("a request failed", error, route=route_of(scope))
            answer = problem(500, "Something went wrong on our side.")
            await answer(scope, receive, exchange.sent)

    async def _answer(self, exchange: _Exchange, lanes: Lanes) -> None:
        scope, receive = exchange.scope, exchange.receive
        if refusal := turned_away(lanes, scope["method"], scope["path"]):
            raise refusal
        if scope["method"] in bodies.WITHOUT_BODY:
            await self._app(scope, receive, exchange.sent)
            return
        body = await bodies.read(scope, receive, self._settings.request_seconds)
        exchange.caller.restart()  # how long it took to send is no part of how long it takes
        scope[BODY] = body
        state, headers = scope["app"].state, scope["headers"]
        with state.running.alone(headers) if HEADER in dict(headers) else nullcontext():
            way = state.quick.get((scope["method"], scope["path"]))
            if way is not None and (answer := await way.answered(scope, body)) is not None:
                await exchange.answer(answer)
                return
            whole: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

            async def replayed() -> Message:
                return whole.pop() if whole else await receive()

            await self._app(scope, replayed, exchange.sent)

    def _finish(self, exchange: _Exchange, began: float) -> None:
        caller, status = exchange.caller, exchange.status or 500
        if exchange.gone or caller.gave_up or status >= 500:
            caller.give_up()
            exchange.scope["app"].state.undelivered.note(caller.take_recorded())
        took = time.perf_counter() - began
        count(exchange.scope, status, took)
        if self._settings.traces:
            record_span(exchange.scope, exchange.request_id, status, took)
        if self._settings.access_log:
            scope = exchange.scope
            log_request(route_of(scope), known_method(scope), status, began)


async def _is_gone(receive: Receive) -> bool:
    """Whether the caller has closed the connection already."""
    message: Message = {}
    with anyio.CancelScope() as at_once:
        at_once.cancel()
        message = await receive()
    return message.get("type") == "http.disconnect"
