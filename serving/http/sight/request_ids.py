"""What a request is called in logs, in its answer and in traces.

A caller may name it in `X-Request-Id`, and its trace in `traceparent` (W3C Trace Context); what is
not well-formed is replaced. Neither may hold a customer's id, so only what looks like a made-up
name is taken over.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from contextvars import ContextVar
from dataclasses import dataclass

HEADER, TRACE_HEADER = b"x-request-id", b"traceparent"
_OWN = re.compile(rb"[A-Za-z0-9_-]{8,64}")
_TRACE = re.compile(rb"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")


@dataclass(frozen=True)
class RequestId:
    """The names of one request: `text`, and its `trace`, `span` and `flags` in hexadecimal."""

    text: str
    trace: str
    span: str
    flags: str

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """What the answer says of them."""
        parent = f"00-{self.trace}-{self.span}-{self.flags}"
        return [(HEADER, self.text.encode()), (TRACE_HEADER, parent.encode())]


_CURRENT: ContextVar[RequestId | None] = ContextVar("request_id", default=None)


def request_id_for(headers: Iterable[tuple[bytes, bytes]]) -> RequestId:
    """The names of a request with these headers."""
    said = dict(headers)
    own, trace = said.get(HEADER, b""), _TRACE.fullmatch(said.get(TRACE_HEADER, b""))
    text = own.decode() if _OWN.fullmatch(own) else "req_" + secrets.token_hex(12)
    known = trace is not None and set(trace[1]) != {ord("0")}
    return RequestId(
        text,
        trace[1].decode() if trace is not None and known else secrets.token_hex(16),
        secrets.token_hex(8),
        trace[3].decode() if trace is not None and known else "00",
    )


def begin(request_id: RequestId) -> None:
    """From here on this task works on that request."""
    _CURRENT.set(request_id)


def current_request_id() -> str:
    """What the request at hand is called; empty outside of one."""
    found = _CURRENT.get()
    return found.text if found else ""


def current_trace() -> str:
    """The trace of the request at hand; empty outside of one."""
    found = _CURRENT.get()
    return found.trace if found else ""
