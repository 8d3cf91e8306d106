"""A span of OpenTelemetry for each request, named by its route and never by its address.

A span is made when its request is over, since its route is not known before. Where spans go is the
business of the tracer provider; without one this does nothing.
"""

from __future__ import annotations

import time

from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, TraceFlags
from starlette.types import Scope

from serving.http.sight.counts import known_method, route_of
from serving.http.sight.request_ids import RequestId


def record_span(scope: Scope, request_id: RequestId, status: int, seconds: float) -> None:
    """Record that a request was answered with `status` and took so many `seconds`."""
    ends = time.time_ns()
    parent = SpanContext(
        int(request_id.trace, 16),
        int(request_id.span, 16),
        is_remote=True,
        trace_flags=TraceFlags(int(request_id.flags, 16)),
    )
    method, route = known_method(scope), route_of(scope)
    span = trace.get_tracer("sayso").start_span(
        f"{method} {route}",
        trace.set_span_in_context(NonRecordingSpan(parent)),
        SpanKind.SERVER,
        {
            "http.request.method": method,
            "http.route": route,
            "http.response.status_code": status,
            "sayso.request_id": request_id.text,
        },
        start_time=ends - int(seconds * 1e9),
    )
    span.end(ends)
