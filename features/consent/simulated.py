"""Made-up consents for data that comes without any: drawn from a seed, and marked as simulated in
the ledger.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from features.catalog import Catalog
from features.consent.event import GRANTED, ConsentEvent

METHOD = "simulated"
SHARES = {
    "everything": 0.68,
    "all but one": 0.12,
    "all but two": 0.05,
    "only one": 0.03,
    "nothing": 0.07,
    "withdrawn later": 0.05,
}
"""How customers behave in the simulation."""


def simulated_consents(
    catalog: Catalog, customer_ids: Sequence[str], seed: int, *, everything: bool = False
) -> list[ConsentEvent]:
    """Consent events of `customer_ids` for every purpose; a customer behaves alike for all of them.

    Most allow everything, some withhold one or two categories, allow only one or none, and some
    withdraw one later. With `everything`, all of them allow everything.
    """
    generator = np.random.default_rng(seed)
    shares = [1.0] + [0.0] * (len(SHARES) - 1) if everything else list(SHARES.values())
    behaviours = generator.choice(len(SHARES), size=len(customer_ids), p=shares)
    events: list[ConsentEvent] = []
    later: list[ConsentEvent] = []
    for customer_id, behaviour in zip(
        customer_ids, np.array(list(SHARES))[behaviours], strict=True
    ):
        order = generator.permutation(list(catalog.categories)).tolist()
        withheld = set(
            {
                "all but one": order[:1],
                "all but two": order[:2],
                "only one": order[1:],
                "nothing": order,
            }.get(behaviour, [])
        )
        events += _answers(catalog, customer_id, withheld)
        if behaviour == "withdrawn later":
            later += _withdrawals(catalog, customer_id, order[0])
    return events + later


def _answers(catalog: Catalog, customer_id: str, withheld: set[str]) -> Iterator[ConsentEvent]:
    for purpose in catalog.purposes:
        version = catalog.current_notice(purpose).version
        for category in catalog.askable(purpose):
            action = "refused" if category in withheld else GRANTED
            yield ConsentEvent(
                customer_id, purpose, category, action, METHOD, version, actor="simulation"
            )


def _withdrawals(catalog: Catalog, customer_id: str, category: str) -> Iterator[ConsentEvent]:
    for purpose in catalog.purposes:
        if category in catalog.askable(purpose):
            yield ConsentEvent(
                customer_id, purpose, category, "withdrawn", METHOD, actor="simulation"
            )
