"""Which versions of the models there are, which of them is champion, and where their files lie.

It stands in the shop's own database, with the files beside it in the workspace: who answers asks no
tracking server. `models.tracking` writes it when a model is trained or promoted.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from features import clock
from features.database.engine import Database, upsert
from features.database.tables import model_roles, model_versions
from features.errors import ModelUnavailable
from models.artifact_digest import require_sealed

CHAMPION = "champion"
CHALLENGER = "challenger"
GATE, OVERRIDE = "gate.", "override."
"""What the tags of a version begin with that say why it was promoted."""
FILES_DIGEST = "files_digest"
"""Tag of a version: SHA-256 of the list of its files and their digests."""


@dataclass(frozen=True)
class Version:
    """A registered version of a model.

    `metrics` and `parameters` are those of its run, `tags` its own.
    """

    model: str
    version: str
    run_id: str
    trained_at: datetime
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Entry:
    """A version to take in: its sealed `files` (None: they are gone), and what it is."""

    version: Version
    files: Path | None
    roles: tuple[str, ...]


def override_of(version: Version) -> dict[str, str] | None:
    """In spite of which gates a version was promoted, why and when; None where it passed them
    all.
    """
    found = {
        name.removeprefix(OVERRIDE): said
        for name, said in version.tags.items()
        if name.startswith(OVERRIDE)
    }
    return found or None


class Registry:
    """The versions in `database`; the files of each lie in `folder`/MODEL/VERSION."""

    def __init__(self, database: Database, folder: Path) -> None:
        self._database = database
        self._folder = folder

    def by_alias(self, model: str, alias: str) -> Version | None:
        """The version that is `alias` (champion or challenger); None where none is."""
        held = model_roles.c
        mine = (held.model == model, held.role == alias)
        query = select(model_versions).join(model_roles, _SAME_VERSION).where(*mine)
        with self._database.read() as connection:
            found = connection.execute(query).one_or_none()
        return None if found is None else _described(found)

    def version(self, model: str, version: str) -> Version:
        """One version. Raises `ModelUnavailable` where there is no such one."""
        with self._database.read() as connection:
            found = connection.execute(_row_of(model, version)).one_or_none()
        if found is None:
            raise ModelUnavailable(f"the registry has no version {version} of `{model}`")
        return _described(found)

    def versions(self, model: str) -> list[tuple[Version, tuple[str, ...]]]:
        """All versions of a model with what each is (champion, challenger), newest first."""
        versions = select(model_versions).where(model_versions.c.model == model)
        roles = select(model_roles).where(model_roles.c.model == model)
        with self._database.read() as connection:
            found = [_described(row) for row in connection.execute(versions)]
            held = [(row.role, row.version) for row in connection.execute(roles)]
        found.sort(key=lambda one: int(one.version), reverse=True)
        return [
            (one, tuple(role for role, version in sorted(held) if version == one.version))
            for one in found
        ]

    def folder(self, version: Version) -> Path:
        """Folder with the model's files as they were saved.

        Raises `ModelUnavailable` where they are gone or were changed. They are checked before
        anything reads them, since a file that was cut off may look like another model.
        """
        folder = self._folder / version.model / version.version
        try:
            require_sealed(folder, version.tags.get(FILES_DIGEST, ""))
        except (OSError, ValueError) as error:
            raise ModelUnavailable(
                f"the files of `{version.model}` version {version.version} cannot be read: {error}"
            ) from error
        return folder

    def add(self, *entries: Entry) -> None:
        """Take in versions, what they are and copies of their files: all of them, or none."""
        for entry in entries:
            self._copy(entry)
        with self._database.write() as connection:
            for entry in entries:
                connection.execute(insert(model_versions), _stated(entry.version))
                for role in entry.roles:
                    _give_role(connection, entry.version, role)

    def _copy(self, entry: Entry) -> None:
        folder = self._folder / entry.version.model / entry.version.version
        if entry.files is not None:
            half = folder.with_name(f"{folder.name}.partial")
            for old in (half, folder):
                shutil.rmtree(old, ignore_errors=True)
            shutil.copytree(entry.files, half)
            half.rename(folder)

    def name_champion(self, version: Version, tags: Mapping[str, str]) -> None:
        """Make a version the champion, with these `tags` in place of those that it had."""
        column = model_versions.c
        mine = (column.model == version.model, column.version == version.version)
        with self._database.write() as connection:
            found = connection.execute(_row_of(version.model, version.version)).one()
            content = json.dumps({**json.loads(found.content), "tags": dict(tags)})
            connection.execute(update(model_versions).where(*mine).values(content=content))
            _give_role(connection, version, CHAMPION)


def knows_of_none(database: Database) -> bool:
    """Whether a database was told of no version of any model."""
    with database.read() as connection:
        return connection.execute(select(model_versions.c.version).limit(1)).first() is None


_SAME_VERSION = (model_versions.c.model == model_roles.c.model) & (
    model_versions.c.version == model_roles.c.version
)


def _row_of(model: str, version: str) -> Any:
    column = model_versions.c
    return select(model_versions).where(column.model == model, column.version == version)


def _stated(version: Version) -> dict[str, str]:
    """The row of a version."""
    content = {
        "metrics": dict(version.metrics),
        "parameters": dict(version.parameters),
        "tags": dict(version.tags),
    }
    return {
        "model": version.model,
        "version": version.version,
        "run_id": version.run_id,
        "trained_at": clock.to_text(version.trained_at),
        "content": json.dumps(content),
    }


def _give_role(connection: Connection, version: Version, role: str) -> None:
    row = {"model": version.model, "role": role, "version": version.version}
    upsert(connection, model_roles, ("model", "role"), [row])


def _described(row: Row[Any]) -> Version:
    content = json.loads(row.content)
    return Version(
        row.model,
        row.version,
        row.run_id,
        clock.from_text(row.trained_at),
        content["metrics"],
        content["tags"],
        content["parameters"],
    )
