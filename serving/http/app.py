"""The web application: all routes, one shape of error."""

from __future__ import annotations

from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from features.config.environment import Settings
from serving.bootstrap import Sayso
from serving.decisions.undelivered import Undelivered
from serving.http.api import (
    batches,
    churn,
    consents,
    decisions,
    doors,
    events,
    intake,
    models,
    opt_outs,
    order_webhooks,
    privacy,
    recommendations,
    reviews,
)
from serving.http.api.consent_sources import consent_tools, visitors
from serving.http.api.outgoing import audiences, webhooks
from serving.http.api.settings import product_lists
from serving.http.boundary import problems
from serving.http.boundary.bodies import Pace
from serving.http.boundary.connection import Connection
from serving.http.boundary.envelope import Envelope
from serving.http.boundary.idempotency import Running
from serving.http.boundary.lanes import Lanes
from serving.http.boundary.limits import Limits
from serving.http.boundary.quick_routes import quick
from serving.http.pages import coded_pages, console, console_door, event_links, front
from serving.http.pages import customer_pages as pages
from serving.http.probes import metrics, readiness
from serving.http.reference import problem_pages
from serving.http.reference.document import DescribedApp, operation_id
from serving.http.sight.counts import REGISTRY, show_models
from serving.http.sight.worker_metrics import WorkerMetrics

ROUTERS = (
    recommendations,
    churn,
    batches,
    decisions,
    consents,
    consent_tools,
    visitors,
    opt_outs,
    doors,
    events,
    intake,
    order_webhooks,
    privacy,
    models,
    reviews,
    product_lists,
    audiences,
    webhooks,
    console_door,
    console,
    pages,
    event_links,
    coded_pages,
    metrics,
    readiness,
    problem_pages,
    front,
)
ASKED_MOST = (recommendations, churn)
DESCRIPTION = """
Sayso predicts what each customer of a shop is likely to do and want next, from nothing but the data
that customer agreed to share, and tells them why. Every answer says that it is automated, what it
used, what it withheld, and why.
"""


def make_app(settings: Settings | None = None) -> FastAPI:
    """The application; `app.state.sayso` has to be set to a `Sayso` before the first request."""
    settings = settings or Settings()
    app = DescribedApp(
        title="Sayso",
        version=version("sayso"),
        description=DESCRIPTION,
        servers=[{"url": settings.public_url or "/", "description": "This service."}],
        generate_unique_id_function=operation_id,
        openapi_url="/docs.json",
        docs_url=None,
        redoc_url=None,
    )
    app.state.settings = settings
    app.state.lanes = Lanes.of(settings)
    app.state.pace = Pace()
    app.state.limits = Limits(settings)
    app.state.running = Running()
    app.state.undelivered = Undelivered()
    app.state.quick = quick(route for module in ASKED_MOST for route in module.router.routes)
    app.add_middleware(Envelope, settings=settings)
    problems.install(app)
    for module in ROUTERS:
        app.include_router(module.router)
    return app


def join(app: FastAPI, sayso: Sayso, folder: Path | None) -> None:
    """Put the shop's running service behind the web application."""
    app.state.sayso = sayso
    Connection.lanes = app.state.lanes
    _prepare(app)
    Connection.ours = Entry(app)
    sayso.watch.also(partial(app.state.undelivered.mark, sayso.shop.database, sayso.shop.clock))
    sayso.watch.also(lambda: show_models(sayso.answering()))
    if folder is not None:
        app.state.worker_metrics = WorkerMetrics(REGISTRY, folder)
        sayso.watch.also(app.state.worker_metrics.look)


class Entry:
    """An application from its envelope on: what FastAPI and Starlette put around it would catch
    what the envelope lets through, which is nothing.
    """

    def __init__(self, app: FastAPI) -> None:
        inside: Any = app.build_middleware_stack()
        while not isinstance(inside, Envelope):
            inside = inside.app
        self._app, self._envelope = app, inside

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        scope["app"] = self._app
        await self._envelope(scope, receive, send)


def _prepare(app: FastAPI) -> None:
    """Have FastAPI do now what it would do with the first request, which others would wait for."""
    app.openapi()
    nowhere = {"type": "http", "method": "GET", "path": "/", "root_path": "", "headers": []}
    for route in app.routes:
        route.matches(nowhere)
