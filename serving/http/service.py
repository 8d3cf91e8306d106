"""The BentoML service: loads a workspace once per worker and serves the web application.

BentoML's supervisor imports this module too, only to read what stands in the decorator. What
answers requests is therefore imported when a worker makes its `SaysoService`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import bentoml
from starlette.applications import Starlette
from starlette.routing import BaseRoute
from starlette.types import Receive, Scope, Send

from features.config.environment import Settings


class LateApplication(Starlette):
    """Stands for the web application, which a worker loads after BentoML has asked for it.

    Nothing asks it before that: BentoML makes the service before it takes a request.
    """

    def __init__(self) -> None:
        super().__init__(lifespan=self._alive)

    def load(self) -> Starlette:
        """Make the web application that this one stands for."""
        from serving.http.app import make_app  # noqa: PLC0415 - 100 MB that the supervisor spares

        self._loaded = make_app()
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


app = LateApplication()
READ_BY = ("serving.live.assortment", "serving.live.statistics")
"""Modules whose reading of the warehouse a worker leaves to another process."""


@bentoml.service(
    name="sayso",
    threads=Settings().threads,
    workers=Settings().workers,
    traffic={"timeout": 30},
    logging={"access": {"enabled": False}},
    metrics={"enabled": False},
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
        from serving.live.program_text import let_go  # noqa: PLC0415 - see above

        settings = Settings()
        self._sayso = assemble(
            Workspace.open(settings.workspace, settings),
            settings.public_url or "http://127.0.0.1:3000",
            self._reader,
        )
        self._sayso.watch.also(self._reader.rest)
        with ThreadPoolExecutor(1) as beside:
            watching = beside.submit(self._sayso.watch.start)
            app.load().state.sayso = self._sayso
            watching.result()
        let_go()

    @bentoml.on_shutdown  # type: ignore[untyped-decorator]  # BentoML's own is not typed
    def close(self) -> None:
        """Stop what runs in the background."""
        self._sayso.close()
        self._reader.close()
