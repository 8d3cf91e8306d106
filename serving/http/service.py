"""The BentoML service: loads a workspace once per worker and serves the web application."""

from __future__ import annotations

import bentoml

from features.config.environment import Settings
from features.shop.workspace import Workspace
from serving.bootstrap import assemble
from serving.http.app import make_app

app = make_app()


@bentoml.service(
    name="sayso",
    threads=Settings().threads,
    traffic={"timeout": 30},
    logging={"access": {"enabled": False}},
    metrics={"enabled": False},
)
@bentoml.asgi_app(app, path="/")
class SaysoService:
    """Explained recommendations and churn estimates from consented data."""

    def __init__(self) -> None:
        settings = Settings()
        self._sayso = assemble(
            Workspace.open(settings.workspace, settings),
            settings.public_url or "http://127.0.0.1:3000",
        )
        self._sayso.watch.start()
        app.state.sayso = self._sayso

    @bentoml.on_shutdown  # type: ignore[untyped-decorator]  # BentoML's own is not typed
    def close(self) -> None:
        """Stop what runs in the background."""
        self._sayso.close()
