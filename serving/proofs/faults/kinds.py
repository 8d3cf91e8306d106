"""Faults that befall a running shop, each done when its block begins and undone when it ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from features.database.engine import Database
from features.errors import ModelUnavailable
from features.shop.workspace import Workspace
from models.registry import CHAMPION, Registry

CHURN, RECOMMENDATION = "churn", "recommendation"
BOTH = frozenset({CHURN, RECOMMENDATION})
BALLAST = "ballast"


@dataclass(frozen=True)
class Fault:
    """One fault.

    `strikes` are the answers that must not be personal under it; `at_once` tells that it shows with
    the first of them.
    """

    happen: Callable[[Workspace], AbstractContextManager[None]]
    strikes: frozenset[str] = BOTH
    at_once: bool = True


def _gone(*names: str) -> Callable[[Workspace], AbstractContextManager[None]]:
    """Files of the workspace are not there."""

    @contextmanager
    def happen(workspace: Workspace) -> Iterator[None]:
        found = [workspace.root / name for name in names if (workspace.root / name).exists()]
        for file in found:
            file.rename(file.with_name(f"{file.name}.away"))
        try:
            yield
        finally:
            for file in found:
                file.with_name(f"{file.name}.away").replace(file)

    return happen


def _changed(
    find: Callable[[Workspace], Path], change: Callable[[bytes], bytes]
) -> Callable[[Workspace], AbstractContextManager[None]]:
    """A file holds something else."""

    @contextmanager
    def happen(workspace: Workspace) -> Iterator[None]:
        file = find(workspace)
        whole = file.read_bytes()
        file.write_bytes(change(whole))
        try:
            yield
        finally:
            file.write_bytes(whole)

    return happen


@contextmanager
def _replaced_database(workspace: Workspace) -> Iterator[None]:
    """Under the database's name stands something else."""
    with _gone("sayso.db", "sayso.db-wal", "sayso.db-shm")(workspace):
        (workspace.root / "sayso.db").write_bytes(b"this is no database\n" * 500)
        yield


def _table_gone(name: str) -> Callable[[Workspace], AbstractContextManager[None]]:
    """A table of the ledger is not there."""

    @contextmanager
    def happen(workspace: Workspace) -> Iterator[None]:
        _execute(workspace, f"ALTER TABLE {name} RENAME TO {name}_away")
        try:
            yield
        finally:
            _execute(workspace, f"ALTER TABLE {name}_away RENAME TO {name}")

    return happen


@contextmanager
def _rows_spoilt(workspace: Workspace) -> Iterator[None]:
    """What the registry says of the models is cut off."""
    _execute(workspace, "CREATE TABLE kept AS SELECT * FROM model_versions")
    _execute(workspace, "UPDATE model_versions SET content = substr(content, 1, 20)")
    try:
        yield
    finally:
        _execute(
            workspace,
            "UPDATE model_versions SET content = (SELECT kept.content FROM kept WHERE"
            " kept.model = model_versions.model AND kept.version = model_versions.version)",
        )
        _execute(workspace, "DROP TABLE kept")


@contextmanager
def _full_disk(workspace: Workspace) -> Iterator[None]:
    """No byte is free on the disk that the workspace is on, which must be a small one made for
    this.
    """
    _execute(workspace, "PRAGMA wal_checkpoint(TRUNCATE)")
    ballast = workspace.root.parent / BALLAST
    try:
        with ballast.open("wb", buffering=0) as handle:
            _fill(handle.write)
        yield
    finally:
        ballast.unlink(missing_ok=True)


def _fill(write: Callable[[bytes], int | None]) -> None:
    for size in (1_000_000, 4_096, 1):
        try:
            while write(b"\0" * size):
                pass
        except OSError:
            continue


def _execute(workspace: Workspace, statement: str) -> None:
    """Run a statement outside of any transaction."""
    database = Database(workspace.database_url)
    with closing(database.engine.raw_connection()) as connection:
        connection.cursor().execute(statement)
    database.close()


def _of_model(model: str, name: str) -> Callable[[Workspace], Path]:
    """Where a file of the champion lies."""

    def find(workspace: Workspace) -> Path:
        database = Database(workspace.database_url)
        try:
            registry = Registry(database, workspace.models)
            champion = registry.by_alias(model, CHAMPION)
            if champion is None:
                raise ModelUnavailable(f"there is no champion for `{model}`")
            return registry.folder(champion) / name
        finally:
            database.close()

    return find


def _half(whole: bytes) -> bytes:
    return whole[: len(whole) // 2]


def _without_purpose(whole: bytes) -> bytes:
    return whole.replace(b"[purposes.churn_prediction]", b"[purposes.other]")


def _config(workspace: Workspace) -> Path:
    return workspace.root / "sayso.toml"


FAULTS: Mapping[str, Fault] = {
    "the database is gone": Fault(_gone("sayso.db", "sayso.db-wal", "sayso.db-shm")),
    "something else stands in the database's place": Fault(_replaced_database),
    "the ledger's events are gone": Fault(_table_gone("consent_events")),
    "the ledger's state is gone": Fault(_table_gone("consent_state")),
    "the ledger's head is gone": Fault(_table_gone("ledger_head")),
    "the catalog is gone": Fault(_gone("sayso.toml")),
    "the catalog is no TOML": Fault(
        _changed(_config, lambda whole: whole + b'\n[fields.transactions\nx = "\n')
    ),
    "the catalog is no text": Fault(_changed(_config, lambda whole: whole + b"\xff\xfe")),
    "the catalog lacks a purpose": Fault(_changed(_config, _without_purpose)),
    "the churn model is cut off": Fault(
        _changed(_of_model("churn", "booster.txt"), _half), frozenset({CHURN})
    ),
    "the next-purchase model is cut off": Fault(
        _changed(_of_model("next_purchase", "booster.txt"), _half), frozenset({RECOMMENDATION})
    ),
    "the next-purchase statistics are empty": Fault(
        _changed(_of_model("next_purchase", "statistics.npz"), lambda _whole: b""),
        frozenset({RECOMMENDATION}),
    ),
    "all model files are gone": Fault(_gone("models")),
    "the registry is gone": Fault(_table_gone("model_versions"), at_once=False),
    "the registry is damaged": Fault(_rows_spoilt, at_once=False),
    "the disk is full": Fault(_full_disk),
}
