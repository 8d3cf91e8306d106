"""The proof that an erasure is real: nothing of an erased customer is left in any byte of the
workspace, and everybody else is untouched.

The shop's own files, from which it was loaded, lie outside the workspace and still name everybody.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path

from features.consent.verification import verify_ledger
from features.errors import LedgerBroken
from features.intake.ingest import ingest
from features.progress import Progress, part_of
from features.shop.consent_import import import_consents
from serving.bootstrap import Sayso
from serving.decisions.record import verify_decisions
from serving.proofs.erasure.canaries import customer_id, found, holding
from serving.proofs.erasure.canary_shop import make_shop, write_consents
from serving.proofs.erasure.others import changed, held
from serving.proofs.erasure.payloads import payloads, still_open, wrapped_keys
from serving.proofs.stage.proof import Finding, Proof

ERASED = 100
WATCHED = 20
"""So many of those who stay are looked at in full."""
PLANTED_IN = ("exports", "rejected", "sayso.db", "service.log", "warehouse")
WITHOUT_PSEUDONYMS = ("mlartifacts", "mlflow.db", "service.log", "warehouse", "rejected", "exports")
"""Where not even the number of an erased customer may be left; it stays in the chain of the ledger
and of the decisions.
"""


@dataclass
class Erasure:
    """Some customers of one shop on their way out."""

    sayso: Sayso
    erased: list[int]
    watched: list[int]
    figures: dict[str, int | float | str] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Copy what will be looked for afterwards."""
        shop = self.sayso.shop
        self.pseudonyms = {
            customer
            for number in self.erased
            if (customer := shop.customers.find(customer_id(number))) is not None
        }
        self.copies, self.keys = (
            payloads(shop, self.pseudonyms),
            wrapped_keys(shop, self.pseudonyms),
        )
        self.stay = held(self.sayso, self.watched)
        planted = found(shop.workspace.root, self.erased)
        self.figures = {
            "customers erased": len(self.erased),
            "canaries before": planted.total(),
            "sealed payloads": len(self.copies),
        }
        self.faults += [
            f"no canaries could be planted in {place}" for place in PLANTED_IN if not planted[place]
        ]
        if still_open(shop, self.copies) < len(self.copies):
            self.faults.append(
                "sealed payloads could not be opened before the erasure, so nothing is shown by"
                " their being closed now"
            )

    def erase(self, progress: Progress) -> None:
        """Erase them one by one."""
        incomplete, before = 0, Counter[str]()
        for done, number in enumerate(self.erased):
            progress(
                f"erasing customers, {done + 1} of {len(self.erased)}", done / len(self.erased)
            )
            receipt = self.sayso.rights.erase(customer_id(number))
            incomplete += not receipt["complete"]
            before.update({store["store"]: store["found_before"] for store in receipt["stores"]})
        if incomplete:
            self.faults.append(f"{incomplete} receipts are not complete")
        self.faults += [
            f"no receipt tells of anything in the store `{store}`"
            for store, count in before.items()
            if not count
        ]
        self.figures["complete receipts"] = len(self.erased) - incomplete

    def search(self, when: str) -> None:
        """Look for everything of theirs, everywhere."""
        root, shop = self.sayso.shop.workspace.root, self.sayso.shop
        left = found(root, self.erased)
        numbers = [
            piece
            for who in self.pseudonyms
            for piece in (str(who).encode(), who.to_bytes(8, "little"))
        ]
        held_numbers = holding(root, WITHOUT_PSEUDONYMS, numbers)
        keys = holding(root, ("sayso.db", "sayso.db-wal"), self.keys)
        opened = still_open(shop, self.copies)
        self.faults += [
            f"{count} canaries are left in {place} {when}" for place, count in left.items()
        ]
        self.faults += [
            f"{count} numbers of erased customers are left in {place} {when}"
            for place, count in held_numbers.items()
        ]
        self.faults += [
            f"{count} destroyed keys are left in {place} {when}" for place, count in keys.items()
        ]
        self.faults += [f"{opened} old payloads can still be opened {when}"] if opened else []
        self.figures[f"canaries left {when}"] = left.total()
        self.figures[f"pseudonyms, keys and payloads left {when}"] = (
            held_numbers.total() + keys.total() + opened
        )

    def look_at_the_rest(self, when: str) -> None:
        """See whether the chains hold, and those who stay have what they had."""
        shop = self.sayso.shop
        try:
            verify_ledger(shop.database, shop.config.catalog)
            with shop.database.read() as connection:
                verify_decisions(connection)
        except LedgerBroken as error:
            self.faults.append(f"a chain does not hold {when}: {error}")
        self.faults += [
            f"the {what} of customers who stay have changed {when}"
            for what in changed(self.stay, held(self.sayso, self.watched))
        ]


def run(folder: Path, share: float, progress: Progress) -> Finding:
    """Put it to the test."""
    count = ceil(ERASED * share)
    erased, watched = list(range(count)), list(range(count, count + WATCHED))
    sayso = make_shop(folder, [*erased, *watched], part_of(progress, 0.0, 0.5))
    try:
        erasure = Erasure(sayso, erased, watched)
        erasure.erase(part_of(progress, 0.5, 0.9))
        erasure.search("after the erasure")
        erasure.look_at_the_rest("after the erasure")
        ingest(sayso.shop.workspace, sayso.shop.database)
        erasure.look_at_the_rest("after the orders are loaded again")
        _import_again(erasure, folder)
        erasure.search("after everything is loaded again")
    finally:
        sayso.close()
    return Finding(erasure.figures, tuple(erasure.faults))


def _import_again(erasure: Erasure, folder: Path) -> None:
    """Import the shop's own file of consents, which still names those who were erased."""
    shop = erasure.sayso.shop
    report = import_consents(write_consents(folder / "consents.csv", shop.config.catalog), shop)
    left_out = report.erased / sum(
        len(shop.config.catalog.askable(purpose)) for purpose in shop.config.catalog.purposes
    )
    erasure.figures["customers left out of a second import"] = left_out
    if left_out != len(erasure.erased):
        erasure.faults.append(
            f"of {len(erasure.erased)} erased customers {left_out:g} were left out of a second"
            " import"
        )


ERASURE = Proof("erasure", "an erasure is real", run)
