"""All that was acknowledged, to be held against what the database has."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import select

from features.consent.verification import verify_ledger
from features.database.tables import consent_events, opt_outs
from features.errors import LedgerBroken
from features.shop.shop import Shop
from serving.proofs.durability.writer import Acknowledged
from serving.proofs.stage.empty_shop import opened, said


@dataclass
class Promised:
    """What was acknowledged to the customers of one shop, and what was found wrong with it."""

    root: Path
    database_url: str | None = None
    acknowledged: set[Acknowledged] = field(default_factory=set)
    lost: set[Acknowledged] = field(default_factory=set)
    broken: int = 0
    faults: list[str] = field(default_factory=list)

    def check(self, after: str) -> None:
        """See whether all of it is there, the chain holds, and the database still takes in what
        customers say.
        """
        with opened(self.root, self.database_url) as shop:
            if missing := self.acknowledged - _kept(shop) - self.lost:
                self.lost |= missing
                self.faults.append(f"{len(missing)} acknowledged things are lost after {after}")
            try:
                verify_ledger(shop.database, shop.config.catalog)
            except LedgerBroken as error:
                self.broken += 1
                self.faults.append(f"the ledger is broken after {after}: {error}")
            receipt = shop.ledger.append(next(said(shop.config.catalog, f"after {after}")))
        self.acknowledged.add((receipt.seq, receipt.hash))


def _kept(shop: Shop) -> set[Acknowledged]:
    with shop.database.read() as connection:
        events = connection.execute(select(consent_events.c.seq, consent_events.c.hash)).all()
        chosen = connection.execute(select(opt_outs.c.id)).scalars().all()
    return {(row.seq, row.hash) for row in events} | {(id, "") for id in chosen}
