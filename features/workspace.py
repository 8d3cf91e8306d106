"""The folder that holds everything by default, and where each part of it lies."""

from __future__ import annotations

import contextlib
import os
import secrets
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from features.config import Config, read_config
from features.errors import WorkspaceError
from features.settings import Settings


@dataclass(frozen=True)
class Workspace:
    """One shop's folder. `root` is absolute; `settings` may send parts of it elsewhere."""

    root: Path
    settings: Settings

    @classmethod
    def open(cls, root: Path, settings: Settings | None = None) -> Workspace:
        """The workspace in `root`.

        Raises `WorkspaceError` where there is none.
        """
        root = root.resolve()
        if not (root / "sayso.toml").is_file():
            raise WorkspaceError(
                f"{root} is no workspace: it has no sayso.toml. Make one with `sayso init {root.name}`, or name another with --workspace."
            )
        return cls(root, settings or Settings())

    @cached_property
    def config(self) -> Config:
        """`sayso.toml`, checked."""
        return read_config(self.root / "sayso.toml")

    @property
    def warehouse(self) -> Path:
        """Folder of the warehouse's Parquet files."""
        return self.root / "warehouse"

    @property
    def rejected(self) -> Path:
        """Folder of the rows that ingest refused."""
        return self.root / "rejected"

    @property
    def database_url(self) -> str:
        """Address of the database."""
        return self.settings.database_url or f"sqlite:///{self.root / 'sayso.db'}"

    @property
    def mlflow_uri(self) -> str:
        """Address of MLflow's tracking store and registry."""
        return self.settings.mlflow_uri or f"sqlite:///{self.root / 'mlflow.db'}"

    @property
    def artifacts(self) -> Path:
        """Folder of MLflow's artifacts."""
        return self.root / "mlartifacts"

    def secret(self) -> str:
        """Key that signs links: from the environment, else from a file readable by its owner alone, made when first asked for."""
        if self.settings.secret is not None:
            return self.settings.secret.get_secret_value()
        file = self.root / "secret"
        if not file.exists():
            _write_once(file, secrets.token_urlsafe(32))
        if not (secret := file.read_text(encoding="ascii")):
            raise WorkspaceError(f"{file} is empty, so links cannot be signed; remove it, and a new one is made (old links then end)")
        return secret


def _write_once(file: Path, text: str) -> None:
    """Put `text` in `file`, readable by its owner alone and whole from the first moment; who comes second changes nothing."""
    partial = file.with_name(f"{file.name}.{secrets.token_hex(8)}")
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as handle:
        handle.write(text)
    with contextlib.suppress(FileExistsError):
        os.link(partial, file)
    partial.unlink()
