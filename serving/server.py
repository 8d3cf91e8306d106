"""Running the BentoML server as a process of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from features.config.environment import Env, Settings
from features.errors import SaysoError
from features.shop.faults import faults
from features.shop.production import tls_faults
from features.shop.workspace import Workspace

HOST = "127.0.0.1"
EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - which is told from other addresses, not listened on
NOBODY = "nobody"
"""A proxy that is believed: the name of none."""
SERVICE = "serving.http.service:SaysoService"
READY_WITHIN_SECONDS = 90.0


class ServerFailed(SaysoError):
    """The server did not come up."""


def base_url(workspace: Workspace, port: int) -> str:
    """Address under which customers reach the service."""
    settings = workspace.settings
    scheme = "http" if settings.tls_certificate is None else "https"
    host = HOST if settings.host in EVERYWHERE else settings.host
    return settings.public_url or f"{scheme}://{host}:{port}"


def command(port: int, settings: Settings | None = None, service: str = SERVICE) -> list[str]:
    """The command that serves `service` on `port`, as `settings` say where to listen and with which
    TLS.
    """
    chosen = settings or Settings.model_construct()
    tls = {"--ssl-certfile": chosen.tls_certificate, "--ssl-keyfile": chosen.tls_key}
    return [
        *(sys.executable, "-m", "bentoml", "serve", service),
        *("--host", chosen.host, "--port", str(port)),
        *(part for name, file in tls.items() if file for part in (name, str(file))),
    ]


def environment(workspace: Workspace, port: int) -> dict[str, str]:
    """The server's environment: which workspace, and nothing sent home."""
    # A registry that is down is noticed in seconds and asked again soon.
    return {
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
        "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
        **os.environ,
        "SAYSO_WORKSPACE": str(workspace.root),
        "SAYSO_DATABASE_URL": workspace.database_url,
        "SAYSO_MLFLOW_URI": workspace.mlflow_uri,
        "SAYSO_PUBLIC_URL": base_url(workspace, port),
        **_stated(workspace.settings),
        "FORWARDED_ALLOW_IPS": workspace.settings.trusted_proxy or NOBODY,
        "BENTOML_DO_NOT_TRACK": "True",
        "BENTOML_HOME": str(workspace.root / "bentoml"),
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }


def _stated(settings: Settings) -> dict[str, str]:
    """What flags may have changed of the settings, so that the workers go by the same."""
    names = (
        *("env", "threads", "workers", "key_per_second"),
        *("tls_certificate", "tls_key", "trusted_proxy"),
    )
    values = {name: getattr(settings, name) for name in names}
    return {
        f"SAYSO_{name.upper()}": str(value) for name, value in values.items() if value is not None
    }


def is_free(port: int) -> bool:
    """Whether nothing listens on `port`."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def require_free(port: int) -> None:
    """Raises `ServerFailed` where something listens on `port` already."""
    if not is_free(port):
        raise ServerFailed(
            f"port {port} is in use; stop what listens there or choose another with --port"
        )


def require_sound(workspace: Workspace) -> None:
    """Raises `ServerFailed` with everything that keeps the workspace from being served, in one
    message.
    """
    settings = workspace.settings
    found = [*tls_faults(settings.tls_certificate, settings.tls_key), *faults(workspace)]
    if found := list(dict.fromkeys(found)):
        where = " in production" if settings.env is Env.PRODUCTION else ""
        listed = "".join(f"\n  {number}. {fault}" for number, fault in enumerate(found, 1))
        count = "one thing is" if len(found) == 1 else f"{len(found)} things are"
        raise ServerFailed(f"the workspace cannot be served{where}, as {count} wrong:{listed}")


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(workspace: Workspace, port: int, log: Path, *, service: str = SERVICE) -> Iterator[str]:
    """The server of `service` while the block runs; gives its address.

    What it prints goes to `log`.

    Raises `ServerFailed` where it is not ready in time.
    """
    require_free(port)
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603
            command(port, service=service),
            env=environment(workspace, port),
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        _await_ready(process, f"http://{HOST}:{port}", log)
        yield f"http://{HOST}:{port}"
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await_ready(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    ends = time.monotonic() + READY_WITHIN_SECONDS
    with httpx.Client(timeout=1.0) as client:  # one, since each reads all certificates anew
        while time.monotonic() < ends:
            if process.poll() is not None:
                raise ServerFailed(f"the service stopped while starting; {log} says why")
            try:
                if client.get(f"{url}/livez").is_success:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.1)
    raise ServerFailed(
        f"the service was not ready within {READY_WITHIN_SECONDS:.0f} seconds; {log} says more"
    )
