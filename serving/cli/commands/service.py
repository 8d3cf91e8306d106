"""`sayso serve`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from serving.cli.options import DEFAULT_WORKSPACE, DebugOption, WorkspaceOption

HostOption = Annotated[
    str | None, typer.Option("--host", help="Address to listen on; SAYSO_HOST otherwise.")
]
PortOption = Annotated[int, typer.Option("--port", min=1, max=65_535, help="Port to listen on.")]
WorkersOption = Annotated[
    int | None,
    typer.Option("--workers", min=1, help="Processes that answer; SAYSO_WORKERS otherwise."),
]
CertificateOption = Annotated[
    Path | None, typer.Option("--tls-certificate", help="Certificate (PEM) to speak TLS with.")
]
KeyOption = Annotated[Path | None, typer.Option("--tls-key", help="The certificate's key.")]
ProxyOption = Annotated[
    str | None,
    typer.Option(
        "--trusted-proxy", help="Addresses of the proxy that ends TLS before the service."
    ),
]


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("serve")(serve)


def serve(
    host: HostOption = None,
    port: PortOption = 3000,
    workers: WorkersOption = None,
    certificate: CertificateOption = None,
    key: KeyOption = None,
    proxy: ProxyOption = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    *,
    debug: DebugOption = False,
) -> None:
    """Run the HTTP service until Ctrl-C."""
    # imported here, since they take most of a second that `sayso serve --help` does without
    from features.config.environment import Settings  # noqa: PLC0415 - see above
    from features.shop.workspace import Workspace  # noqa: PLC0415 - see above
    from serving.cli.adoption import adopt_models  # noqa: PLC0415 - see above
    from serving.server import (  # noqa: PLC0415 - see above
        base_url,
        command,
        environment,
        require_free,
        require_sound,
    )

    flags = {
        "host": host,
        "workers": workers,
        "tls_certificate": certificate and certificate.absolute(),
        "tls_key": key and key.absolute(),
        "trusted_proxy": proxy,
    }
    given = {name: value for name, value in flags.items() if value is not None}
    opened = Workspace.open(workspace, Settings().model_copy(update=given))
    require_free(port)
    require_sound(opened)
    # Which also brings the schema up to date, before several workers could try.
    adopt_models(opened)
    sys.stdout.write(
        f"Sayso serves {opened.config.shop.name} on {base_url(opened, port)}; Ctrl-C stops it.\n"
    )
    sys.stdout.flush()
    os.execve(  # noqa: S606 - our own command, in place of this process
        sys.executable, command(port, opened.settings), environment(opened, port)
    )
