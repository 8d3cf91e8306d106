"""Workspaces of an earlier version, whose models MLflow alone knew: they are taken over once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from features.customers.merged_ids import rule_in_force
from features.database.engine import Database
from features.shop.binding import open_database
from features.shop.workspace import Workspace
from models.registry import knows_of_none

if TYPE_CHECKING:
    from serving.bootstrap import Sayso


def adopt_models(workspace: Workspace) -> None:
    """Take the models' versions over from MLflow where the workspace's database knows of none.

    Raises `ModelUnavailable` where MLflow has a store and cannot be asked.
    """
    database = open_database(workspace)
    try:
        _bring_together(workspace, database)
        if knows_of_none(database):
            from models.tracking import Tracking  # noqa: PLC0415 - takes a second, and is needed once

            Tracking.of(workspace, database)
    finally:
        database.close()


def _bring_together(workspace: Workspace, database: Database) -> None:
    """Bring customers to the rule of their ids before several workers could try."""
    with database.read() as connection:
        done = rule_in_force(connection) == workspace.config.catalog.ids.name
    if not done:
        from features.shop.shop import Shop  # noqa: PLC0415 - takes a second, and is needed once

        Shop(workspace).database.close()


def assembled(workspace: Workspace) -> Sayso:
    """The service of a workspace within this process, its champions taken up."""
    from serving.bootstrap import assemble  # noqa: PLC0415 - `serve` has no use for it

    adopt_models(workspace)
    sayso = assemble(workspace, "")
    sayso.watch.look()
    return sayso
