"""The folder that holds everything by default, and where each part of it lies."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from features.config.environment import Settings
from features.config.reading import read_config
from features.config.schema import Config
from features.customers.master_keys import MasterKeys
from features.errors import WorkspaceError
from features.private_file import own_text
from features.tables.tables import STANDARD, Tables


@dataclass(frozen=True)
class Workspace:
    """One shop's folder.

    `root` is absolute; `settings` may send parts of it elsewhere, `tables` are those that its
    warehouse may have.
    """

    root: Path
    settings: Settings
    tables: Tables = STANDARD

    @classmethod
    def open(
        cls, root: Path, settings: Settings | None = None, tables: Tables = STANDARD
    ) -> Workspace:
        """The workspace in `root`.

        Raises `WorkspaceError` where there is none.
        """
        root = root.resolve()
        if not (root / "sayso.toml").is_file():
            raise WorkspaceError(
                f"{root} is no workspace: it has no sayso.toml. Make one with `sayso init"
                f" {root.name}`, or name another with --workspace."
            )
        return cls(root, settings or Settings(), tables)

    @cached_property
    def config(self) -> Config:
        """`sayso.toml`, checked."""
        return read_config(self.root / "sayso.toml", self.tables)

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
    def models(self) -> Path:
        """Folder of the models' files that answers are made from."""
        return self.root / "models"

    @property
    def artifacts(self) -> Path:
        """Folder of MLflow's artifacts."""
        return self.root / "mlartifacts"

    def secret(self) -> str:
        """Key that signs links: from the environment, else from a file readable by its owner alone,
        made when first asked for.
        """
        if self.settings.secret is not None:
            return self.settings.secret.get_secret_value()
        file = self.root / "secret"
        if not (secret := own_text(file, lambda: secrets.token_urlsafe(32))):
            raise WorkspaceError(
                f"{file} is empty, so links cannot be signed; remove it, and a new one is made (old"
                " links then end)"
            )
        return secret

    @property
    def master_keys(self) -> MasterKeys:
        """Where the master keys are kept: the environment, else a file readable by its owner
        alone.
        """
        stated = self.settings.master_key
        return MasterKeys(
            self.root / "master.keys", None if stated is None else stated.get_secret_value()
        )

    @property
    def anchor_key(self) -> Path:
        """File of the key that signs the ledger's anchors, readable by its owner alone."""
        return self.root / "anchor.key"
