"""Which database a workspace belongs to: both know the same id, and any other database is
refused.

Consents, opt-outs, the tags of the erased and the customers' pseudonyms stand in the database. In
another one they would be missing, and nobody would notice.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from sqlalchemy import select

from features.clock import utc_now
from features.consent.anchors import make_anchor_key
from features.customers.pseudonyms import suppressions
from features.customers.vault import SHOP, Vault
from features.database.copying import holds_nothing
from features.database.engine import UNHURRIED, Database, Patience
from features.database.identity import Identity, give_identity, identity_of, without_password
from features.database.sqlite_file import file_of
from features.database.tables import customers
from features.errors import WorkspaceError
from features.private_file import replace_text
from features.shop.workspace import BINDING, Workspace
from features.warehouse.store import Warehouse


class WrongDatabase(WorkspaceError):
    """A workspace was pointed at a database that is not its own."""


class DatabaseMoved(WrongDatabase):
    """A workspace was pointed at the database that it left; `to` is the id of its new one."""

    def __init__(self, message: str, *, to: str) -> None:
        super().__init__(message)
        self.to = to


@dataclass(frozen=True)
class Binding:
    """The `id` of a workspace's database, and its `address` without a password.

    `url` is the whole address where the workspace was moved there, so that it is found without
    `SAYSO_DATABASE_URL`; None where the variable or the default says it.
    """

    id: str
    address: str
    url: str | None = None


def binding_of(root: Path) -> Binding | None:
    """What the workspace in `root` knows of its database; None before it first opened one.

    Raises `WorkspaceError` where the file cannot be read.
    """
    file = root / BINDING
    try:
        return Binding(**json.loads(file.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as error:
        raise WorkspaceError(
            f"{file} cannot be read, so nobody knows which database belongs to this workspace; put"
            " it back from a backup, or remove it and run `sayso doctor --fix`, which makes it anew"
            " where the keys fit the database"
        ) from error


def bind(root: Path, binding: Binding) -> None:
    """Write down which database a workspace belongs to; it is on disk once this returns."""
    replace_text(root / BINDING, json.dumps(asdict(binding)) + "\n")


def open_database(workspace: Workspace, patience: Patience = UNHURRIED) -> Database:
    """The workspace's own database, at the newest schema.

    The first one that a workspace opens becomes its own, and the keys are made with it.

    Raises `WrongDatabase` for any other, before anything in it is changed, and `WorkspaceError`
    where what is encrypted in it cannot be read.
    """
    database = Database(workspace.database_url, patience)
    try:
        bound = binding_of(workspace.root)
        found = identity_in(database)
        if bound is not None:
            _require(workspace, database, bound, found)
            database.migrate()
        else:
            _refuse_moved(workspace, found)
            _begin(workspace, database, found)
    except BaseException:
        database.close()
        raise
    return database


def identity_in(database: Database) -> Identity | None:
    """Which database it is; None for one that is new, or older than identities are."""
    if _absent(database):
        return None
    with database.read() as connection:
        return identity_of(connection)


def database_fault(workspace: Workspace, database: Database) -> str | None:
    """What is wrong with a database as a workspace's own; None where nothing is."""
    try:
        if (bound := binding_of(workspace.root)) is not None:
            _require(workspace, database, bound, identity_in(database))
    except WorkspaceError as error:
        return str(error)
    return None


def proven_own(workspace: Workspace, database: Database) -> bool:
    """Whether the workspace's master keys open what is encrypted in a database, which no other
    shop's do.
    """
    try:
        with database.read() as connection:
            return bool(Vault(database, workspace.master_keys).keys(connection, [SHOP]))
    except WorkspaceError:
        return False


def adopt_database(workspace: Workspace, database: Database) -> Binding:
    """Make a database the workspace's own, with an identity if it has none."""
    database.migrate()
    with database.write() as connection:
        identity = give_identity(connection, utc_now())
    binding = Binding(identity.id, without_password(workspace.database_url))
    bind(workspace.root, binding)
    return binding


def _require(
    workspace: Workspace, database: Database, bound: Binding, found: Identity | None
) -> None:
    shown = without_password(workspace.database_url)
    if found is not None and found.id == bound.id:
        _refuse_moved(workspace, found)
        return
    if found is not None and found.moved_to == bound.id:
        _refuse_moved(workspace, found)
    if _absent(database):
        what = f"there is no database {shown}"
    elif found is not None and found.came_from == bound.id:
        what = (
            f"{shown} is a copy of this workspace's database, made by a move that was not finished"
        )
    elif found is None:
        what = f"{shown} is not this workspace's database: it holds nothing that it knows"
    else:
        what = f"{shown} is the database of another workspace"
    raise WrongDatabase(
        f"{what}. The workspace's own is {bound.address}: {_way_back(workspace, bound)}. To take"
        " everything to another database use `sayso migrate --to URL`; if the own one is lost, use"
        " `sayso restore`. Nothing was changed."
    )


def _way_back(workspace: Workspace, bound: Binding) -> str:
    stated = workspace.settings.database_url is not None
    if stated and bound.url is not None:
        return "leave SAYSO_DATABASE_URL out, or set it to that address"
    if stated and bound.address == without_password(workspace.own_database_url):
        return "leave SAYSO_DATABASE_URL out"
    if bound.address == without_password(workspace.database_url):
        return "put it back there"
    return "set SAYSO_DATABASE_URL to that address"


def _refuse_moved(workspace: Workspace, found: Identity | None) -> None:
    if found is None or found.moved_to is None:
        return
    raise DatabaseMoved(
        f"the database {without_password(workspace.database_url)} was moved to {found.moved_where}"
        " and is read-only: set SAYSO_DATABASE_URL to that address, or leave it out in a workspace"
        " that was moved along. If the move was cut off, `sayso migrate --to URL` with that address"
        " finishes it.",
        to=found.moved_to,
    )


def _begin(workspace: Workspace, database: Database, found: Identity | None) -> None:
    """Bind a workspace that belongs to no database yet."""
    _refuse_foreign(workspace, database, found)
    database.migrate()
    _make_keys(workspace, database)
    adopt_database(workspace, database)


def _refuse_foreign(workspace: Workspace, database: Database, found: Identity | None) -> None:
    """A database that another workspace began, or that knows nobody who is in the warehouse, cannot
    be the workspace's own.
    """
    shown = without_password(workspace.database_url)
    if found is not None and not proven_own(workspace, database):
        raise WrongDatabase(
            f"{shown} is the database of another workspace, whose keys are not here."
            f" Name another database in SAYSO_DATABASE_URL, or copy its {BINDING}, master.keys,"
            " secret and anchor.key of that workspace to here. Nothing was changed."
        )
    warehouse = Warehouse(workspace.warehouse)
    if warehouse.filled and not _knows_some(database, warehouse):
        raise WrongDatabase(
            f"{shown} knows none of the customers in this workspace's warehouse, so it is not the"
            " database that was used so far, where their consents, opt-outs and erasures stand. Set"
            " SAYSO_DATABASE_URL to that one; to move it use `sayso migrate --to URL`. Nothing was"
            " changed."
        )


def _knows_some(database: Database, warehouse: Warehouse) -> bool:
    if _absent(database):
        return False
    with database.read() as connection:
        if holds_nothing(connection):
            return False
        known = set(connection.execute(select(customers.c.customer)).scalars())
    ordered = set(warehouse.who_ordered().tolist())
    return not ordered or bool(known & ordered)


def _make_keys(workspace: Workspace, database: Database) -> None:
    """Make what is made once: the secret, the master key, the key of the anchors and the list of
    the erased.

    From now on one that is missing was lost, and is not made anew.
    """
    workspace.make_secret()
    make_anchor_key(workspace.anchor_key)
    vault = Vault(database, workspace.master_keys)
    with database.write() as connection:
        vault.keys_for_sealing(connection, [SHOP])
        workspace.erasure_list.add(suppressions(connection))


def _absent(database: Database) -> bool:
    file = file_of(database.engine.url) if database.engine.dialect.name == "sqlite" else None
    return file is not None and (not file.exists() or file.stat().st_size == 0)
