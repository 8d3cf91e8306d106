"""`/metrics` for Prometheus: what all workers together did, and what the database tells.

Labelled by route and never by address: addresses hold customer ids and signed links.
"""

from __future__ import annotations

import math
from datetime import datetime

from fastapi import APIRouter, Request, Response
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Gauge,
    generate_latest,
)
from sqlalchemy.exc import SQLAlchemyError

from features.database.engine import Database
from features.errors import SaysoError
from serving.delivery.exposures import discoveries
from serving.http.boundary.lane_route import LaneRoute
from serving.http.boundary.parts import Service
from serving.http.boundary.problems import Refused
from serving.http.sight.counts import REGISTRY
from serving.http.sight.worker_metrics import WorkerMetrics
from serving.reviews.queue import Reviews

OF_DATABASE = CollectorRegistry()
"""What the database tells, which is the same for all workers."""
REVIEWS_OPEN = Gauge("sayso_reviews_open", "Reviews that wait for a person.", registry=OF_DATABASE)
REVIEWS_OVERDUE = Gauge(
    "sayso_reviews_overdue", "Reviews that wait for longer than was promised.", registry=OF_DATABASE
)
PLACES = Gauge(
    "sayso_places_30_days",
    "Places of lists that known customers were shown in the last 30 days.",
    registry=OF_DATABASE,
)
DISCOVERIES = Gauge(
    "sayso_discovery_share", "Share of these places that were discoveries.", registry=OF_DATABASE
)


router = APIRouter(include_in_schema=False, route_class=LaneRoute)


@router.get("/metrics")
def metrics(sayso: Service, request: Request) -> Response:
    """Counts and times since the service started, and what the database tells of this moment."""
    others: WorkerMetrics | None = getattr(request.app.state, "worker_metrics", None)
    if not request.app.state.settings.metrics:
        raise Refused(404, "Metrics are switched off (`SAYSO_METRICS`).")
    _look(sayso.reviews, sayso.shop.database, sayso.shop.clock())
    said = generate_latest(REGISTRY if others is None else others.together())
    return Response(said + generate_latest(OF_DATABASE), media_type=CONTENT_TYPE_LATEST)


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
