"""Tampering with a ledger time and again, and looking whether verification against an exported
anchor finds it.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path

from sqlalchemy import Connection, text

from features.catalog import Catalog
from features.consent.anchors import Anchor
from features.consent.verification import NoticeChanged, verify_ledger
from features.database.engine import Database
from features.errors import LedgerBroken
from features.progress import Progress
from features.shop.shop import Shop
from serving.proofs.chain.tampering import TAMPERINGS, rows_of
from serving.proofs.stage.empty_shop import said

EVENTS = 150
Verify = Callable[[Database, Catalog, list[Anchor]], int]


class OneConnection(Database):
    """The database as it looks from within one transaction, which nobody else ever sees."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """The transaction."""
        yield self._connection


def fill(shop: Shop) -> None:
    """Events of every kind, with keys and evidence."""
    events = islice(said(shop.config.catalog, "customer"), EVENTS)
    shop.ledger.append_all(
        [
            replace(event, idempotency_key=f"key-{n}", evidence=f"form {n}")
            for n, event in enumerate(events)
        ]
    )


def exported_anchor(shop: Shop, file: Path) -> Anchor:
    """An anchor of the ledger as it is now, written to `file` and read from there."""
    file.write_text(json.dumps(shop.anchors.take().document()), encoding="utf-8")
    return shop.anchors.read(file)


def undetected(
    shop: Shop, anchor: Anchor, times: int, progress: Progress, verify: Verify = verify_ledger
) -> Counter[str]:
    """How many of so many random tamperings `verify` does not find, by name.

    Everything is as before once this returns.
    """
    draw, missed = random.Random(times), Counter[str]()  # noqa: S311 - choices, no secrets
    with _without_triggers(shop.database) as connection:
        seen, rows, ways = OneConnection(connection), rows_of(connection), list(TAMPERINGS.items())
        for number in range(times):
            name, tampering = ways[number % len(ways)]
            with connection.begin_nested() as savepoint:
                tampering(draw, connection, rows)
                missed[name] += not _found(lambda: verify(seen, shop.config.catalog, [anchor]))
                savepoint.rollback()
            if number % 100 == 0:
                progress(f"tampering, {number + 1:,} of {times:,}", number / times)
        if not _found(lambda: verify(seen, shop.config.catalog, [anchor])):
            return +missed
    raise RuntimeError("the ledger does not hold before it was tampered with")


def _found(verify: Callable[[], int]) -> bool:
    try:
        verify()
    except (LedgerBroken, NoticeChanged):
        return True
    return False


@contextmanager
def _without_triggers(database: Database) -> Iterator[Connection]:
    """A transaction in which the ledger refuses nothing; it is rolled back in the end."""
    with (
        database.engine.connect().execution_options(sayso_write=True) as connection,
        connection.begin() as transaction,
    ):
        if connection.dialect.name == "postgresql":
            connection.execute(text("ALTER TABLE consent_events DISABLE TRIGGER USER"))
        else:
            for trigger in (
                connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'"))
                .scalars()
                .all()
            ):
                connection.execute(text(f"DROP TRIGGER {trigger}"))
        yield connection
        transaction.rollback()
