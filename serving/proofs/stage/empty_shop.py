"""A shop that recorded nothing yet, on a database of either kind, and what its made-up customers
say.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count, cycle
from pathlib import Path

from features.catalog import Catalog
from features.config.environment import Settings
from features.consent.event import GRANTED, ConsentEvent
from features.intake.setup.new_workspace import create
from features.shop.shop import Shop
from features.shop.workspace import Workspace

ACTIONS = (GRANTED, "refused", "withdrawn", GRANTED, "objected")
METHOD = "selftest"


def make_empty_shop(root: Path, database_url: str | None = None) -> Path:
    """A new workspace, its database at the newest schema; `database_url` sends that elsewhere."""
    create(root)
    with opened(root, database_url) as shop:
        shop.ledger.position()
    return root


@contextmanager
def opened(root: Path, database_url: str | None = None) -> Iterator[Shop]:
    """The shop of a workspace, while the block runs."""
    shop = Shop(Workspace.open(root, Settings(database_url=database_url)))
    try:
        yield shop
    finally:
        shop.database.close()


def said(catalog: Catalog, who: str) -> Iterator[ConsentEvent]:
    """What ever more customers say, whose ids begin with `who`: of every category for every
    purpose, each time something else.
    """
    asked = [
        (purpose, category) for purpose in catalog.purposes for category in catalog.askable(purpose)
    ]
    for number, (purpose, category), action in zip(
        count(), cycle(asked), cycle(ACTIONS), strict=False
    ):
        version = catalog.current_notice(purpose).version
        yield ConsentEvent(
            f"{who}-{number // len(asked)}", purpose, category, action, METHOD, version
        )
