"""How long the ledger takes: to take a file in, to say where a customer stands, to be verified."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import median

import numpy as np

from features import clock
from features.consent.event import ConsentEvent
from features.consent.grants import granted_to
from features.consent.verification import verify_ledger
from features.progress import Progress
from features.shop.consent_import import REQUIRED, import_consents
from features.shop.shop import Shop
from serving.proofs.speed.limits import Measured
from serving.proofs.stage.empty_shop import make_empty_shop, opened, said

IMPORTED, IMPORT_SECONDS = 100_000, 30.0
EVENTS, VERIFY_SECONDS = 1_000_000, 60.0
STATE_MILLISECONDS = 1.0
ASKED = 300
AT_ONCE = 20_000


def measure(folder: Path, share: float, progress: Progress) -> Iterator[Measured]:
    """Measure it on a ledger that grows to its share of `EVENTS`."""
    root = make_empty_shop(folder / "ledger")
    imported, events = round(IMPORTED * share), round(EVENTS * share)
    with opened(root) as shop:
        progress("importing consents", 0.0)
        file = _written(folder / "consents.csv", shop, imported)
        seconds = _seconds(lambda: import_consents(file, shop))
        yield Measured(f"import of {imported:,} events", seconds, IMPORT_SECONDS * share, "seconds")
        customers = _grow(shop, events - imported, progress)
        yield from _of_states(shop, customers, f"at {events:,} events")
        progress("verifying the ledger", 0.9)
        seconds = _seconds(lambda: verify_ledger(shop.database, shop.config.catalog))
        yield Measured(
            f"verification of {events:,} events", seconds, VERIFY_SECONDS * share, "seconds"
        )


def _written(file: Path, shop: Shop, events: int) -> Path:
    now = clock.to_text(shop.clock())
    with file.open("w", encoding="utf-8", newline="") as handle:
        lines = csv.writer(handle)
        lines.writerow(REQUIRED)
        for event in islice(said(shop.config.catalog, "imported"), events):
            lines.writerow(
                [now if name == "occurred_at" else getattr(event, name) for name in REQUIRED]
            )
    return file


def _grow(shop: Shop, events: int, progress: Progress) -> list[int]:
    """Append so many events of ever more customers; the pseudonyms of some of these."""
    more = said(shop.config.catalog, "customer")
    last: list[ConsentEvent] = []
    for done in range(0, events, AT_ONCE):
        progress(f"growing the ledger to {events:,} events", 0.1 + 0.7 * done / events)
        last = list(islice(more, min(AT_ONCE, events - done)))
        shop.ledger.append_all(last)
    known = {external_id: customer for customer, external_id in shop.customers.all().items()}
    draw = np.random.default_rng(events)
    return [
        known[f"customer-{number}"]
        for number in draw.integers(int(last[-1].customer_id.rpartition("-")[2]), size=ASKED)
    ]


def _of_states(shop: Shop, customers: list[int], size: str) -> Iterator[Measured]:
    purpose, catalog, now = (
        next(iter(shop.config.catalog.purposes)),
        shop.config.catalog,
        clock.to_text(shop.clock()),
    )

    def granted(customer: int) -> object:
        with shop.database.read() as connection:
            return granted_to(connection, catalog, customer, purpose, now)

    for name, ask in (
        ("where a customer stands", shop.ledger.state),
        ("what a customer grants for a purpose", granted),
    ):
        yield Measured(
            f"{name}, {size}",
            _typical_milliseconds(ask, customers),
            STATE_MILLISECONDS,
            "milliseconds",
        )


def _typical_milliseconds(ask: Callable[[int], object], customers: list[int]) -> float:
    return 1_000 * median(_seconds(partial(ask, customer)) for customer in customers)


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
