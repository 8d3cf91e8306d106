"""What a worker does beside answering: it ends with its supervisor, keeps counts where a full disk
cannot end it, and looks at its health.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from functools import partial
from pathlib import Path

from starlette.applications import Starlette

from serving.bootstrap import Sayso

MAPPED_FILES = "PROMETHEUS_MULTIPROC_DIR"
LOOK_EVERY_SECONDS = 1.0
SECONDS_TO_END = 10.0


def metrics_folder() -> Path | None:
    """The folder for the counts of all workers, which BentoML made for prometheus_client.

    prometheus_client is not told of it: its mapped files end a process where the disk is full.
    """
    folder = os.environ.pop(MAPPED_FILES, None)
    return None if folder is None else Path(folder)


def stop_without(supervisor: int) -> None:
    """End this process soon after its supervisor, which may be killed without a word."""
    threading.Thread(target=_watch, args=(supervisor,), name="supervisor", daemon=True).start()


def _watch(supervisor: int) -> None:
    while os.getppid() == supervisor:
        time.sleep(LOOK_EVERY_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)  # what is being answered is answered first
    time.sleep(SECONDS_TO_END)
    os._exit(1)


def join(app: Starlette, sayso: Sayso, folder: Path | None) -> None:
    """Put the shop's running service behind the web application."""
    from serving.http.sight.counts import REGISTRY, show_models  # noqa: PLC0415 - after `metrics_folder`
    from serving.http.sight.worker_metrics import WorkerMetrics  # noqa: PLC0415 - as above

    app.state.sayso = sayso
    sayso.watch.also(partial(app.state.undelivered.mark, sayso.shop.database, sayso.shop.clock))
    sayso.watch.also(lambda: show_models(sayso.answering()))
    if folder is not None:
        app.state.worker_metrics = WorkerMetrics(REGISTRY, folder)
        sayso.watch.also(app.state.worker_metrics.look)
