"""The environment, read here and nowhere else."""

from __future__ import annotations

import os
import re
from enum import StrEnum
from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Env(StrEnum):
    """What a workspace is served for."""

    DEVELOPMENT = "development"
    PRODUCTION = "production"


class Settings(BaseSettings):
    """What may differ between two machines that run the same workspace.

    Each is an environment variable `SAYSO_<NAME>`.
    """

    model_config = SettingsConfigDict(env_prefix="SAYSO_", env_ignore_empty=True)

    workspace: Path = Path("workspace")
    """Folder of the workspace."""
    database_url: str | None = None
    """SQLAlchemy address of the database; a SQLite file in the workspace where it is not given."""
    mlflow_uri: str | None = None
    """Tracking server of MLflow; a SQLite file in the workspace where it is not given."""
    public_url: str | None = None
    """Address under which customers reach the service, for the links in answers."""
    secret: SecretStr | None = None
    """Key that signs the links; a file with mode 0600 in the workspace where it is not given."""
    master_key: SecretStr | None = None
    """Key that wraps the customers' payload keys, in Base64; several, newest first and separated by
    commas, while they are rotated.

    A file with mode 0600 in the workspace where it is not given.
    """
    webhook_secret: SecretStr | None = None
    """Key that signs the calls to the addresses in `[webhooks]`; their receiver has it too."""
    shopify_secret: SecretStr | None = None
    """Secret that Shopify signs its webhooks of orders with; they are not taken without it."""
    woocommerce_secret: SecretStr | None = None
    """The same for WooCommerce."""
    erasure_list: Path | None = None
    """File that lists who was erased, by tags that cannot be turned back, so that a backup that is
    put back brings nobody back; on another disk it survives the loss of this one. A file in the
    workspace where it is not given.
    """
    env: Env = Env.DEVELOPMENT
    """`production` starts only with all that a shop open to the world needs."""
    host: str = "127.0.0.1"
    """Address that the service listens on."""
    workers: int = Field(default=1, ge=1)
    """Processes of the service that answer."""
    tls_certificate: Path | None = None
    """File of the certificate (PEM, with its chain) that the service speaks TLS with."""
    tls_key: Path | None = None
    """File of the certificate's key."""
    trusted_proxy: str | None = None
    """Addresses, separated by commas, of the proxy before the service; what it says of callers is
    believed, and it ends TLS. Nobody is believed where it is not given.
    """
    threads: int = Field(default=4, ge=1, le=64)
    """Requests that one worker of the service answers at a time."""
    queue: int = Field(default=64, ge=1, le=10_000)
    """Requests that may wait for a worker's threads; who comes then is refused with 429."""
    answer_seconds: float = Field(default=10.0, gt=0, le=300)
    """Within which an answer has to be there; later it is refused with 503."""
    database_seconds: float = Field(default=3.0, gt=0, le=300)
    """How long the service waits for a connection to the database, and for a lock in it."""
    request_seconds: float = Field(default=10.0, gt=0, le=300)
    """Within which a request has to arrive as a whole; its connection is closed otherwise."""
    keep_alive_seconds: float = Field(default=5.0, gt=0, le=300)
    """After which a connection that is not used is closed."""
    key_per_second: float = Field(default=400.0, gt=0)
    """Requests that a worker takes with one API key."""
    link_per_minute: float = Field(default=240.0, gt=0)
    """Requests that a worker takes with one customer's link."""
    link_writes_per_minute: float = Field(default=60.0, gt=0)
    """Changes that a worker takes with one customer's link."""
    failures_per_minute: float = Field(default=30.0, gt=0)
    """Wrong API keys and logins from one address, after which more are refused with 429."""
    access_log: bool = False
    """Whether each request is logged: its route, status and duration, and nothing of a customer."""
    metrics: bool = True
    """Whether `/metrics` tells Prometheus what all workers together did."""
    traces: bool = False
    """Whether requests are traced by OpenTelemetry; BentoML's configuration says where to."""


VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def filled(text: str) -> str:
    """`text` with the variables of the environment that stand in `${}` in it.

    Raises `KeyError` with the name of one that is not set.
    """
    return VARIABLE.sub(lambda found: os.environ[found[1]], text)
