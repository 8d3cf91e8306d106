"""What a worker counts: requests, stages and answers, by route and never by address: addresses hold
customer ids and signed links.
"""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.types import Scope

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)
REGISTRY = CollectorRegistry()
"""What this worker did; added up over workers."""
REQUESTS = Counter(
    "sayso_requests",
    "Requests by route, method and status.",
    ["route", "method", "status"],
    registry=REGISTRY,
)
SECONDS = Histogram(
    "sayso_request_seconds",
    "Seconds that requests took, by route.",
    ["route"],
    buckets=BUCKETS,
    registry=REGISTRY,
)
STAGES = Histogram(
    "sayso_stage_seconds",
    "Seconds that requests spent waiting for a turn and at work in a thread, by lane.",
    ["lane", "stage"],
    buckets=BUCKETS,
    registry=REGISTRY,
)
ANSWERS = Counter(
    "sayso_answers",
    "Answers by kind, and why they were not personal (`personal` where they were).",
    ["kind", "because"],
    registry=REGISTRY,
)
WITHHELD = Counter(
    "sayso_answers_withheld",
    "Answers by kind and withheld category.",
    ["kind", "category"],
    registry=REGISTRY,
)
EVENTS = Counter(
    "sayso_events",
    "Events by kind and what became of them.",
    ["kind", "became"],
    registry=REGISTRY,
)
WAITING = Gauge(
    "sayso_waiting", "Requests that wait for their turn, by lane.", ["lane"], registry=REGISTRY
)
MODELS = Gauge(
    "sayso_model",
    "Workers that answer with this version.",
    ["model", "version"],
    registry=REGISTRY,
)
PERSONAL = "personal"
ROUTE = "route"
"""Where a request's scope holds its route."""


def count(scope: Scope, status: int, seconds: float) -> None:
    """Count a request that was answered with `status`, and the seconds that it took."""
    route = route_of(scope)
    REQUESTS.labels(route, known_method(scope), str(status)).inc()
    SECONDS.labels(route).observe(seconds)


def route_of(scope: Scope) -> str:
    """The template of a request's route; `none` where it has none."""
    return str(getattr(scope.get(ROUTE), "path", "none"))


def known_method(scope: Scope) -> str:
    """A request's method; a sender may make up as many as they like, which are one here."""
    return str(scope["method"]) if scope["method"] in METHODS else "other"


def count_answer(kind: str, because: str | None, withheld: Iterable[str]) -> None:
    """Count an answer: why it was not personal (None where it was) and what was withheld."""
    ANSWERS.labels(kind, because or PERSONAL).inc()
    for category in withheld:
        WITHHELD.labels(kind, category).inc()


def count_event(kind: str, became: str) -> None:
    """Count an event that somebody told."""
    EVENTS.labels(kind, became).inc()


def count_stage(lane: str, stage: str, seconds: float) -> None:
    """Count how long a request was at a stage of its lane."""
    STAGES.labels(lane, stage).observe(seconds)


def show_models(answering: Iterable[tuple[str, str]]) -> None:
    """The models and versions that this worker answers with now."""
    MODELS.clear()
    for model, version in answering:
        MODELS.labels(model, version).set(1)
