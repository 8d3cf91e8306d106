"""What a customer has to allow before an event of theirs is kept; the one place that says so.

- A purchase needs the category of the products that they bought (`transactions.product_id`).
- What they saw, clicked on or put into the basket needs the category `browsing`, where the catalog
  declares it for the purpose of the decision; elsewhere all that the decision itself used, and a
  decision that used nothing is one of which nothing is collected.
- What they want (`dismissed`, `complained`, `unsubscribed`) needs nothing: it is obeyed, and only
  ever leads to less.

Of nobody known there is nothing to ask, and nothing personal to keep.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from features.catalog import Catalog
from features.events.event import SILENCING, DecisionEvent, Kind
from features.tables.declared import transactions

BROWSING = "browsing"
WISHES = SILENCING | {"dismissed"}
BOUGHT = f"{transactions.NAME}.{transactions.PRODUCT_ID}"

Covered = Mapping[str, str | None]
"""The categories that a customer grants, each with the moment from which on its data is covered;
None: all of it.
"""


def needed(
    kind: Kind, catalog: Catalog, purpose: str, used: Collection[str]
) -> frozenset[str] | None:
    """The categories that have to be granted for `purpose` before such an event is kept; None where
    no grant is enough. `used` are those that the decision used.
    """
    if kind in WISHES:
        return frozenset()
    if kind == "bought":
        return catalog.categories_of([BOUGHT]) if catalog.permits([BOUGHT], purpose) else None
    if BROWSING in catalog.askable(purpose):
        return frozenset({BROWSING})
    return frozenset(used) or None


def may_be_kept(event: DecisionEvent, wanted: frozenset[str] | None, covered: Covered) -> bool:
    """Whether every category that is `wanted` is granted, for data of that moment too."""
    return wanted is not None and all(
        category in covered and (covered[category] or "") <= event.occurred_at
        for category in wanted
    )
