"""`/metrics` for Prometheus, labelled by route and never by address: addresses hold customer ids
and signed links.
"""

from __future__ import annotations

import math
from datetime import datetime

from fastapi import APIRouter, Response
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from sqlalchemy.exc import SQLAlchemyError
from starlette.types import Scope

from features.database.engine import Database
from features.errors import SaysoError
from serving.delivery.exposures import discoveries
from serving.http.boundary.scoped_routes import Service
from serving.reviews.queue import Reviews

router = APIRouter(include_in_schema=False)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
REGISTRY = CollectorRegistry()
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
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0),
    registry=REGISTRY,
)
REVIEWS_OPEN = Gauge("sayso_reviews_open", "Reviews that wait for a person.", registry=REGISTRY)
REVIEWS_OVERDUE = Gauge(
    "sayso_reviews_overdue", "Reviews that wait for longer than was promised.", registry=REGISTRY
)
PLACES = Gauge(
    "sayso_places_30_days",
    "Places of lists that known customers were shown in the last 30 days.",
    registry=REGISTRY,
)
DISCOVERIES = Gauge(
    "sayso_discovery_share", "Share of these places that were discoveries.", registry=REGISTRY
)


@router.get("/metrics")
def metrics(sayso: Service) -> Response:
    """Counts and times since the worker started, and what the database tells of this moment."""
    _look(sayso.reviews, sayso.shop.database, sayso.shop.clock())
    return Response(generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST)


def _look(reviews: Reviews, database: Database, now: datetime) -> None:
    """Read the gauges; they are NaN while the database cannot be read, as an old figure would look
    like a good one.
    """
    try:
        waiting = reviews.waiting()
        REVIEWS_OPEN.set(waiting.open)
        REVIEWS_OVERDUE.set(waiting.overdue)
        found = discoveries(database, now)
        PLACES.set(found.places)
        DISCOVERIES.set(found.share)
    except (SaysoError, SQLAlchemyError):
        for gauge in (REVIEWS_OPEN, REVIEWS_OVERDUE, PLACES, DISCOVERIES):
            gauge.set(math.nan)


def count(scope: Scope, status: int, seconds: float) -> None:
    """Count a request that was answered with `status`, and the seconds that it took."""
    route = getattr(scope.get("route"), "path", "none")
    # a sender may make up as many methods as they like
    method = scope["method"] if scope["method"] in METHODS else "other"
    REQUESTS.labels(route, method, str(status)).inc()
    SECONDS.labels(route).observe(seconds)
