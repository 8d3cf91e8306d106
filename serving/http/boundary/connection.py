"""A connection to the service: it is closed in time, and what is no HTTP gets a problem document.

uvicorn closes a connection only after an answer that nothing follows. One that sends nothing, half
a request or a byte a second, and one that does not take its answer, would stay open for good.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from functools import lru_cache
from typing import Any, ClassVar, Protocol

import h11
from fastapi import Response
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.flow_control import CLOSE_HEADER
from uvicorn.protocols.http.h11_impl import STATUS_PHRASES, H11Protocol

from features.config.environment import Settings
from serving.http.boundary.envelope import LINE
from serving.http.boundary.lanes import Lanes
from serving.http.boundary.problems import problem, refused
from serving.http.boundary.turnstile import turned_away
from serving.http.sight.counts import count, known_method
from serving.http.sight.logs import log_request
from serving.http.sight.request_ids import RequestId, request_id_for

TOO_LARGE = 431
TURNED_AWAY = "none"


class Answering(Protocol):
    """An application, as a thing and not as a function, which a class would take for its own."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""


@lru_cache(1)
def _settings() -> Settings:
    return Settings()


class Connection(H11Protocol):
    """uvicorn's connection, with limits on how long each part may take."""

    lanes: ClassVar[Lanes | None] = None
    """The lanes of this worker, once it has any; who finds no room on them goes no further."""
    ours: ClassVar[Answering | None] = None
    """Our own application, once there is one, which answers every request: BentoML's own routes
    answer some in ways of their own, and what it does around ours takes longer than an answer.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._inside, self.app = self.app, self._turnstile
        self.timeout_keep_alive = _settings().keep_alive_seconds  # type: ignore[assignment]  # seconds, whole or not
        self._patience = _settings().request_seconds
        self._head: asyncio.TimerHandle | None = None
        self._taking: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        """Somebody connected; the head of their request has to follow in time."""
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over."""
        self._cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take some bytes; those of half a head do not buy more time."""
        super().data_received(data)
        if self._is_at_work:
            self._cancel_head()
        elif self._head is None:
            self._expect_head()

    def on_response_complete(self) -> None:
        """An answer went out; the keep-alive time counts now."""
        super().on_response_complete()
        if self.conn.our_state is h11.IDLE and self.conn.trailing_data[0]:
            self._expect_head()  # half of the next request is here already

    async def _turnstile(self, scope: Any, receive: Any, send: Any) -> None:
        """Turn away at little cost; what is let in is answered by the application."""
        refusal = self.lanes and turned_away(self.lanes, scope["method"], scope["path"])
        if not refusal:
            scope[LINE] = self
            await (self.ours or self._inside)(scope, receive, send)
            return
        answer = refused(refusal)
        self.answer_at_once(answer, request_id_for(scope["headers"]))
        count(scope, answer.status_code, 0.0)
        if _settings().access_log:
            log_request(TURNED_AWAY, known_method(scope), answer.status_code, time.perf_counter())

    def is_gone(self) -> bool:
        """Whether the caller has closed the connection already."""
        return bool(self.cycle.disconnected)

    def answer_at_once(self, answer: Response, names: RequestId) -> bool:
        """Send an answer in one piece, of which uvicorn would make three; whether somebody is there
        to take it.
        """
        cycle = self.cycle
        if cycle.disconnected or cycle.response_started:
            return False
        headers = [*answer.raw_headers, *names.headers]
        if CLOSE_HEADER in cycle.scope["headers"]:
            headers.append(CLOSE_HEADER)
        self.transport.write(self._written(answer.status_code, headers, bytes(answer.body)))
        cycle.response_started = cycle.response_complete = True
        cycle.message_event.set()
        if self.conn.our_state is h11.MUST_CLOSE or not cycle.keep_alive:
            self.conn.send(h11.ConnectionClosed())
            self.transport.close()
        cycle.on_response()
        return True

    def _written(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> bytes:
        events = (
            h11.Response(status_code=status, headers=headers, reason=STATUS_PHRASES[status]),
            h11.Data(data=body),
            h11.EndOfMessage(),
        )
        return b"".join(self.conn.send(event) or b"" for event in events)

    @property
    def _is_at_work(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def pause_writing(self) -> None:
        """The caller does not take its answer quickly enough."""
        super().pause_writing()
        if self._taking is None:
            self._taking = self.loop.call_later(self._patience, self._abort)

    def resume_writing(self) -> None:
        """The caller takes its answer again."""
        super().resume_writing()
        if self._taking is not None:
            self._taking.cancel()
            self._taking = None

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP, once, and close; `msg` is uvicorn's own sentence."""
        error = sys.exc_info()[1]  # uvicorn calls this while it handles what h11 refused
        status = getattr(error, "error_status_hint", 400)
        if self._is_at_work:
            self.cycle.disconnected = True  # whoever is at work on it must not answer as well
            self.cycle.message_event.set()
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            self._refuse(status, msg)
        self.transport.close()

    def _refuse(self, status: int, detail: str) -> None:
        said = "The head of the request is too large." if status == TOO_LARGE else detail
        answer = problem(status if status in {400, TOO_LARGE, 501} else 400, said)
        headers = [*answer.raw_headers, *request_id_for([]).headers, (b"connection", b"close")]
        with contextlib.suppress(h11.LocalProtocolError):
            self.transport.write(self._written(answer.status_code, headers, bytes(answer.body)))

    def _expect_head(self) -> None:
        self._cancel_head()
        self._head = self.loop.call_later(self._patience, self._too_slow)

    def _too_slow(self) -> None:
        self._head = None
        if self._is_at_work or self.transport.is_closing():
            return
        self.transport.close()

    def _abort(self) -> None:
        self._taking = None
        self.transport.abort()

    def _cancel_head(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None

    def _cancel(self) -> None:
        self._cancel_head()
        if self._taking is not None:
            self._taking.cancel()
            self._taking = None
