"""What keeps a workspace from being used as it is: said in whole sentences by the readiness route,
by `sayso doctor` and by `sayso serve` alike.

Nothing is made anew in place of what is missing: it would hide that it was lost.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, func, select
from sqlalchemy.exc import SQLAlchemyError

from features.config.environment import Env
from features.config.reading import read_config
from features.database.engine import Database
from features.database.tables import consent_events, ledger_head, payload_keys, webhooks
from features.errors import SaysoError
from features.shop.binding import database_fault
from features.shop.production import no_api_key, production_faults
from features.shop.workspace import CONFIG_NAME, Workspace

FEWEST_OF_SECRET = 32


def faults(workspace: Workspace, database: Database | None = None) -> list[str]:
    """Everything that is missing or does not fit, one sentence each with what to do; nothing where
    the workspace can be used. In production, what that needs is looked for as well.

    `database` is an open one of the workspace; without it, one is opened for this.
    """
    return [*_of_catalog(workspace), *faults_of_data(workspace, database)]


def faults_of_data(workspace: Workspace, database: Database | None = None) -> list[str]:
    """The faults but those of `sayso.toml`, which takes most of the time to check."""
    found = [*_of_secrets(workspace)]
    if workspace.settings.env is Env.PRODUCTION:
        found += [fault for fault in production_faults(workspace) if fault not in found]
    opened = database or Database(workspace.database_url)
    try:
        found += _of_database(workspace, opened)
    except SQLAlchemyError as error:
        found.append(f"the database cannot be asked ({type(error).__name__}); start it again")
    except SaysoError as error:
        found.append(str(error))
    finally:
        if database is None:
            opened.close()
    return found


def _of_catalog(workspace: Workspace) -> Iterator[str]:
    file = workspace.root / CONFIG_NAME
    if not file.is_file():
        yield (
            f"{file} is missing, so nobody knows what may be used of whom: put it back from a"
            " backup. It is not made anew, since the consents refer to what stood in it"
        )
        return
    try:
        config = read_config(file, workspace.tables, production=workspace.in_production)
    except (SaysoError, OSError) as error:
        yield str(error)
        return
    if config.webhooks.code_wanted and not _signs(workspace):
        yield f"`[webhooks] code_wanted` is stated, {UNSIGNED}"


UNSIGNED = (
    "and its calls cannot be signed: set SAYSO_WEBHOOK_SECRET to at least"
    f" {FEWEST_OF_SECRET} random characters, which the receiver has too"
)


def _signs(workspace: Workspace) -> bool:
    secret = workspace.settings.webhook_secret
    return secret is not None and len(secret.get_secret_value()) >= FEWEST_OF_SECRET


def _of_secrets(workspace: Workspace) -> Iterator[str]:
    if not workspace.begun:
        return
    try:
        workspace.secret()
    except (SaysoError, OSError) as error:
        yield str(error)
    if not workspace.anchor_key.exists():
        yield (
            f"{workspace.anchor_key}, which signs the ledger's anchors, is missing: put it back"
            " from where keys are kept. If it is lost, `sayso doctor --new-anchor-key` makes"
            " another, and the anchors taken so far cannot be checked any more"
        )


def _of_database(workspace: Workspace, database: Database) -> Iterator[str]:
    fault = database_fault(workspace, database)
    if fault is not None:
        yield fault
    elif workspace.begun:
        with database.read() as connection:
            yield from _of_ledger(connection)
            yield from _of_master_keys(workspace, connection)
            asked = connection.execute(select(webhooks.c.id).limit(1)).first() is not None
            if asked and not _signs(workspace):
                yield f"a program asked to be called (`POST /v1/webhooks`), {UNSIGNED}"
            if workspace.settings.env is Env.PRODUCTION and (fault := no_api_key(connection)):
                yield fault


def _of_ledger(connection: Connection) -> Iterator[str]:
    head = connection.execute(select(ledger_head.c.seq)).scalar()
    last = connection.execute(select(func.max(consent_events.c.seq))).scalar() or 0
    if head != last:
        yield (
            f"the consent ledger ends at event {last}, but {head or 'an unknown number'} were"
            " written: `sayso consent verify` says more; put the database back with `sayso restore`"
        )


def _of_master_keys(workspace: Workspace, connection: Connection) -> Iterator[str]:
    needed = set(connection.execute(select(payload_keys.c.master).distinct()).scalars())
    if not needed:
        return
    try:
        missing = needed - workspace.master_keys.by_name().keys()
    except SaysoError as error:
        yield str(error)
        return
    if missing:
        yield (
            f"the master key {min(missing)} is missing, so what it encrypts cannot be read; put it"
            f" back into {workspace.master_keys.file}, or into SAYSO_MASTER_KEY behind the newest"
            " one"
        )
