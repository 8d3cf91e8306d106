"""The folder that holds everything by default, and where each part of it lies."""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from sqlalchemy import make_url

from features.config.environment import Env, Settings
from features.config.reading import read_config
from features.config.schema import Config
from features.customers.erasure_list import ErasureList
from features.customers.master_keys import MasterKeys
from features.database.sqlite_file import file_of
from features.errors import WorkspaceError
from features.private_file import made_text, present_text
from features.tables.tables import STANDARD, Tables

CONFIG_NAME = "sayso.toml"
BINDING = "database.binding"
"""File of a workspace that says which database is its own; `features.shop.binding` reads and writes
it.
"""


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
        opened = cls.found(root, settings, tables)
        root = opened.root
        if not (root / CONFIG_NAME).is_file() and not opened.begun:
            raise WorkspaceError(
                f"{root} is no workspace: it has no sayso.toml. Make one with `sayso init"
                f" {root.name}`, or name another with --workspace."
            )
        if not (root / CONFIG_NAME).is_file():
            raise WorkspaceError(
                f"{root / CONFIG_NAME} is missing beside this workspace's data: put it back from a"
                " backup. It is not made anew, since the consents refer to what stood in it."
            )
        return opened

    @classmethod
    def found(
        cls, root: Path, settings: Settings | None = None, tables: Tables = STANDARD
    ) -> Workspace:
        """What is in `root`, even where its `sayso.toml` is lost: for who looks for faults."""
        return cls(root.resolve(), settings or Settings(), tables)

    @cached_property
    def config(self) -> Config:
        """`sayso.toml`, checked."""
        return read_config(self.root / CONFIG_NAME, self.tables, production=self.in_production)

    @property
    def in_production(self) -> bool:
        """Whether it is served to the world."""
        return self.settings.env is Env.PRODUCTION

    @property
    def warehouse(self) -> Path:
        """Folder of the warehouse's Parquet files."""
        return self.root / "warehouse"

    @property
    def rejected(self) -> Path:
        """Folder of the rows that ingest refused."""
        return self.root / "rejected"

    @property
    def data_health(self) -> Path:
        """File with a line of figures for each load; nobody's data."""
        return self.root / "data_health.jsonl"

    @property
    def product_statistics(self) -> Path:
        """File of the product statistics that were made last, to be ready sooner; made anew from
        the warehouse wherever it is not there.
        """
        return self.root / "product_statistics.npz"

    @property
    def database_url(self) -> str:
        """Address of the database."""
        return self.settings.database_url or self.own_database_url

    @property
    def own_database_url(self) -> str:
        """Address of the database where the environment names none: where the workspace was moved
        to, else a file in it.
        """
        try:
            moved = json.loads((self.root / BINDING).read_text(encoding="utf-8")).get("url")
        except (OSError, ValueError, AttributeError):  # whoever opens the database says so
            moved = None
        return moved or f"sqlite:///{self.root / 'sayso.db'}"

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

    @property
    def begun(self) -> bool:
        """Whether it belongs to a database already, and its keys were made."""
        return (self.root / BINDING).exists()

    @property
    def secret_file(self) -> Path:
        """File of the key that signs links, readable by its owner alone."""
        return self.root / "secret"

    def make_secret(self) -> None:
        """Make the file of the secret where neither it nor the environment has one."""
        if self.settings.secret is None:
            made_text(self.secret_file, lambda: secrets.token_urlsafe(32))

    def secret(self) -> str:
        """Key that signs links: from the environment, else from its file, which is made before the
        workspace's first database is.

        Raises `WorkspaceError` where the file is gone since, or empty.
        """
        if self.settings.secret is not None:
            return self.settings.secret.get_secret_value()
        if not self.begun:
            self.make_secret()
        if not (secret := present_text(self.secret_file)):
            raise WorkspaceError(
                f"{self.secret_file}, which signs links, is"
                f" {'missing' if secret is None else 'empty'}: put it back from where keys are"
                " kept, or set SAYSO_SECRET. If it is lost, `sayso doctor --new-secret` makes"
                " another, and the links sent so far end."
            )
        return secret

    @property
    def private_files(self) -> list[Path]:
        """What nobody but its owner may open, as far as it is there: keys, the database, the list
        of the erased, and the folders of the warehouse and of refused rows.
        """
        files = [
            self.secret_file,
            self.master_keys.file,
            self.anchor_key,
            self.root / BINDING,
            self.erasure_list.file,
            *self._database_files,
            self.warehouse,
            self.rejected,
        ]
        return [file for file in files if file.exists()]

    @property
    def _database_files(self) -> list[Path]:
        """The files of a SQLite database, with those that it writes beside it."""
        url = make_url(self.database_url)
        file = file_of(url) if url.get_backend_name() == "sqlite" else None
        return [] if file is None else sorted(file.parent.glob(f"{file.name}*"))

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
    def mark(self) -> str:
        """Six characters that tell this shop from another of the same name, wherever its database
        goes: of a hash of the anchors' key, which tells nothing of the key.
        """
        key = present_text(self.anchor_key) or ""
        return hashlib.sha256(b"sayso shop" + key.encode()).hexdigest()[:6]

    @property
    def erasure_list(self) -> ErasureList:
        """The list of the erased, which outlives the database."""
        return ErasureList(self.settings.erasure_list or self.root / "erased.list")

    @property
    def anchor_key(self) -> Path:
        """File of the key that signs the ledger's anchors, readable by its owner alone."""
        return self.root / "anchor.key"
