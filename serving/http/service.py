"""The BentoML service: loads a workspace once per worker and serves the web application.

BentoML's supervisor imports this module too, only to read what stands in the decorator. What
answers requests is therefore imported when a worker makes its `SaysoService`.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import bentoml
from bentoml._internal.configuration.containers import BentoMLContainer
from opentelemetry import trace
from starlette.applications import Starlette
from starlette.routing import BaseRoute
from starlette.types import Receive, Scope, Send
from uvicorn.config import HTTP_PROTOCOLS

from features.config.environment import Settings

if TYPE_CHECKING:  # its modules are imported when a worker makes its service
    from serving.bootstrap import Sayso


class LateApplication(Starlette):
    """Stands for the web application, which a worker loads after BentoML has asked for it.

    Nothing asks it before that: BentoML makes the service before it takes a request. Whoever only
    looks, to build a Bento, finds no route.
    """

    def __init__(self) -> None:
        super().__init__(lifespan=self._alive)
        self._loaded = Starlette()

    def load(self, sayso: Sayso, settings: Settings, folder: str | None) -> Starlette:
        """Make the web application that this one stands for, of a running service."""
        from serving.http.app import join, make_app  # noqa: PLC0415 - 100 MB that the supervisor spares

        self._loaded = make_app(settings)
        join(self._loaded, sayso, None if folder is None else Path(folder))
        return self._loaded

    @property
    def routes(self) -> list[BaseRoute]:
        """The routes that are answered here; BentoML answers any other path."""
        return self._loaded.routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the loaded application does."""
        await self._loaded(scope, receive, send)

    @asynccontextmanager
    async def _alive(self, _app: Starlette) -> AsyncIterator[None]:
        async with self._loaded.router.lifespan_context(self._loaded):
            yield


COUNTS = os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)
"""The folder for the counts of all workers that BentoML made for prometheus_client; None in the
supervisor. prometheus_client, which looks for it as soon as it is imported, is not told: its mapped
files end a process where the disk is full.
"""
app = LateApplication()
SETTINGS = Settings()
LONGEST_ANSWER = 20
"""BentoML's own timeout in times of ours, which always comes first and says why."""
READ_BY = ("serving.live.assortment", "serving.live.statistics")
"""Modules whose reading of the warehouse a worker leaves to another process."""


@bentoml.service(
    name="sayso",
    threads=SETTINGS.threads,
    workers=SETTINGS.workers,
    traffic={"timeout": int(LONGEST_ANSWER * SETTINGS.answer_seconds)},
    logging={"access": {"enabled": False}},
    metrics={"enabled": False},
    tracing={"excluded_urls": ".*"},  # it would write addresses down, which hold customers' ids
)
@bentoml.asgi_app(app, path="/")
class SaysoService:
    """Explained recommendations and churn estimates from consented data."""

    def __init__(self) -> None:
        # imported here, since the supervisor, which makes no service, spares 250 MB
        from serving.live.reader_process import ReaderProcess  # noqa: PLC0415 - see above

        self._reader = ReaderProcess(READ_BY)
        self._reader.wake()
        from features.shop.workspace import Workspace  # noqa: PLC0415 - while the reader starts
        from serving.bootstrap import assemble  # noqa: PLC0415 - see above
        from serving.http.sight.logs import write_json_lines  # noqa: PLC0415 - see above
        from serving.http.worker import answer_before_work, forget_beginning, stop_without  # noqa: PLC0415 - see above
        from serving.live.program_text import let_go  # noqa: PLC0415 - see above

        write_json_lines()
        if SETTINGS.traces:
            trace.set_tracer_provider(BentoMLContainer.tracer_provider.get())
        answer_before_work()
        stop_without(os.getppid())
        self._sayso = assemble(
            Workspace.open(SETTINGS.workspace, SETTINGS),
            SETTINGS.public_url or "http://127.0.0.1:3000",
            self._reader,
        )
        self._sayso.watch.also(self._rest)
        with ThreadPoolExecutor(1) as beside:
            watching = beside.submit(self._sayso.watch.start)
            self._web = app.load(self._sayso, SETTINGS, COUNTS)
            watching.result()
        self._sayso.calls.start_beside()
        forget_beginning()
        let_go()

    def _rest(self) -> None:
        """End the process that reads where it rests, and let go of what its last work touched."""
        from serving.live.program_text import let_go  # noqa: PLC0415 - see above

        if self._reader.rest():
            let_go()

    @bentoml.on_shutdown  # type: ignore[untyped-decorator]  # BentoML's own is not typed
    def close(self) -> None:
        """Stop what runs in the background."""
        self._web.state.lanes.close()
        self._sayso.close()
        self._reader.close()


# BentoML starts uvicorn without a word about connections, so it has to be said before it does
HTTP_PROTOCOLS["auto"] = "serving.http.boundary.connection:Connection"
