"""`sayso migrate`: everything that a workspace's database holds, taken to another one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from sqlalchemy import Connection, make_url, select
from sqlalchemy.exc import ArgumentError, DBAPIError

from features.clock import Clock, utc_now
from features.consent.verification import verify_ledger_within
from features.customers.pseudonyms import suppressions
from features.customers.vault import SHOP, Vault
from features.database.copying import Copied, clear, copy_content, holds_nothing
from features.database.engine import Database
from features.database.identity import (
    Identity,
    empty_moved,
    give_identity,
    mark_moved,
    new_identity,
    without_password,
)
from features.database.sqlite_file import file_of
from features.database.tables import erasures, payload_keys
from features.errors import SaysoError, WorkspaceError
from features.progress import Progress, part_of, silent
from features.shop.binding import (
    Binding,
    DatabaseMoved,
    bind,
    binding_of,
    identity_in,
    open_database,
)
from features.shop.shop import Shop
from features.shop.workspace import Workspace
from serving.decisions.record import verify_decisions
from serving.operations.archive import DATABASE


class MoveRefused(SaysoError):
    """A database cannot be moved there; nothing was changed."""


@dataclass(frozen=True)
class Verified:
    """What was found whole in a copy: rows by table, events of the ledger and decisions whose
    chains hold, customers who are kept out, receipts of erasures, and keys that open.
    """

    rows: Mapping[str, int]
    events: int
    decisions: int
    kept_out: int
    erasures: int
    keys: int


@dataclass(frozen=True)
class Move:
    """What was moved, and between which addresses (without passwords).

    `finished` tells that an earlier move had copied all of it, and was cut off at its end.
    `cleared` tells that the old one was emptied; else it still holds all that it held.
    """

    came_from: str
    went_to: str
    verified: Verified | None
    finished: bool = False
    cleared: bool = False


def migrate(
    workspace: Workspace,
    url: str,
    progress: Progress = silent,
    now: Clock = utc_now,
    *,
    clear_old: bool = False,
) -> Move:
    """Take all that the workspace's database holds to the one at `url`, check it there, make the
    old one read-only and the new one the workspace's.

    Nobody else writes meanwhile. Until the old one is closed it is the one in use, so whatever
    interrupts the move before that changes nothing, and a move that is cut off after that is
    finished by calling it again.

    With `clear_old` the old one is emptied once the new one was verified and is the workspace's;
    also where an earlier call moved it.

    Raises `MoveRefused` for a target that holds something or cannot be reached, and what
    `copy_content` and the verifications raise.
    """
    target = reached(url)
    try:
        if clear_old and (left := _left_behind(workspace, target)) is not None:
            return _cleared(left, target)
        old = workspace.database_url
        try:
            source = open_database(workspace)
        except DatabaseMoved as moved:
            done = _finish(workspace, target, moved)
            return _cleared(Database(old), target, done) if clear_old else done
        try:
            done = _moved(workspace, source, target, progress, now)
            return replace(done, cleared=empty_moved(source)) if clear_old else done
        finally:
            source.close()
    finally:
        target.close()


def _left_behind(workspace: Workspace, target: Database) -> Database | None:
    """The file of the workspace whose place `target`, the workspace's own database, took earlier;
    None where there is none.
    """
    bound, file = binding_of(workspace.root), workspace.root / DATABASE
    found = identity_in(target)
    if bound is None or found is None or found.id != bound.id or not file.is_file():
        return None
    left = Database(f"sqlite:///{file}")
    was = identity_in(left)
    if was is not None and was.moved_to == bound.id:
        return left
    left.close()
    return None


def _cleared(left: Database, target: Database, done: Move | None = None) -> Move:
    """Empty what is left of an earlier move, whose content `target` has."""
    try:
        went = without_password(target.url)
        made = done or Move(without_password(left.url), went, None, finished=True)
        with target.read() as connection:
            verify_ledger_within(connection)
            verify_decisions(connection)
        return replace(made, cleared=empty_moved(left))
    finally:
        left.close()


def _moved(
    workspace: Workspace, source: Database, target: Database, progress: Progress, now: Clock
) -> Move:
    bound = binding_of(workspace.root)
    if bound is None:
        raise MoveRefused("the workspace has no database yet that could be moved")
    _prepare(target, bound)
    with Shop(workspace).warehouse.alone(), source.write() as old:
        identity = Identity(new_identity(), bound.id, None, None)
        verified = fill(old, target, identity, Vault(target, workspace.master_keys), progress, now)
        mark_moved(old, identity.id, without_password(target.url), now())
    # The old one is closed from here on.
    _point(workspace, target, identity.id)
    progress("done", 1.0)
    return Move(without_password(source.url), without_password(target.url), verified)


def fill(
    source: Connection,
    target: Database,
    identity: Identity,
    vault: Vault,
    progress: Progress,
    now: Clock,
) -> Verified:
    """Copy all content to the empty `target`, verify it, and give it its identity: all of it, or
    nothing.
    """
    with target.engine.connect() as new, new.begin():
        copied = copy_content(source, new, part_of(progress, 0.0, 0.7))
        progress("checking chains, consents and erasures", 0.75)
        verified = verify(new, vault, copied)
        give_identity(new, now(), identity.id, identity.came_from)
    return verified


def verify(connection: Connection, vault: Vault, copied: Mapping[str, Copied]) -> Verified:
    """Check that all of a copy holds.

    Raises `LedgerBroken` for a chain or a state that does not, `WorkspaceError` for keys that do
    not open.
    """
    events, decisions = verify_ledger_within(connection), verify_decisions(connection)
    customers = list(connection.execute(select(payload_keys.c.customer)).scalars())
    keys = vault.keys(connection, customers)
    if copied["payload_keys"].rows and SHOP not in keys:
        raise WorkspaceError(
            "the key that recognises who was erased is missing; nothing was changed"
        )
    return Verified(
        {name: table.rows for name, table in copied.items()},
        events,
        decisions,
        len(suppressions(connection)),
        len(connection.execute(select(erasures.c.id)).all()),
        len(keys),
    )


def prepare_empty(target: Database) -> None:
    """Bring an empty database to the newest schema.

    Raises `MoveRefused` for one that holds something.
    """
    if identity_in(target) is not None or not _is_empty(target):
        raise MoveRefused(
            f"{without_password(target.url)} holds something already; name an empty database."
            " Nothing was changed."
        )
    target.migrate()


def _prepare(target: Database, bound: Binding) -> None:
    """As `prepare_empty`, but what an interrupted move of the same workspace left is cleared."""
    found = identity_in(target)
    if found is not None and found.id == bound.id:
        raise MoveRefused(
            f"{without_password(target.url)} is the workspace's database already; nothing was"
            " changed."
        )
    if found is not None and found.came_from == bound.id and found.moved_to is None:
        with target.write() as connection:
            clear(connection)
    prepare_empty(target)


def _is_empty(target: Database) -> bool:
    try:
        with target.read() as connection:
            return holds_nothing(connection)
    except SaysoError:  # a file of SQLite that is not there yet
        return True


def _finish(workspace: Workspace, target: Database, moved: DatabaseMoved) -> Move:
    """Point the workspace at the copy that took the place of its database."""
    found = identity_in(target)
    if found is None or found.id != moved.to:
        raise moved
    _point(workspace, target, found.id)
    where = without_password(target.url)
    return Move(without_password(workspace.database_url), where, None, finished=True)


def _point(workspace: Workspace, target: Database, id: str) -> None:
    bind(workspace.root, Binding(id, without_password(target.url), target.url))


def reached(url: str) -> Database:
    """The database at `url`, of a kind that can be used and with a path that does not depend on the
    current folder.

    Raises `MoveRefused` where it cannot be reached.
    """
    try:
        stated = make_url(url)
        kind = stated.get_backend_name()
        if kind == "sqlite" and (file := file_of(stated)) is not None:
            stated = stated.set(database=str(file.absolute()))
        target = Database(stated.render_as_string(hide_password=False))
        if kind == "postgresql":
            identity_in(target)
    except (ArgumentError, ImportError):
        kind = "unknown"
    except DBAPIError as error:
        raise MoveRefused(
            f"{without_password(url)} cannot be reached: {str(error.orig).splitlines()[0]}."
            " Nothing was changed."
        ) from None
    if kind not in {"sqlite", "postgresql"}:
        raise MoveRefused(
            "that is no database that can be used; name one of PostgreSQL"
            " (postgresql+psycopg://USER:PASSWORD@HOST/NAME, with the wheel psycopg[binary]) or"
            " SQLite (sqlite:////PATH/TO/FILE). Nothing was changed."
        )
    return target
