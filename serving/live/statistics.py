"""Product statistics as they are served: nobody who has withdrawn is behind a pair of products that
an answer uses.

A model's own statistics are as of its training. Here they are kept up with the ledger and the
warehouse: made anew in the background, and until then each withdrawal at once takes out the pairs
that the customer was behind. Which products these are is known from memory alone, which ends with
the process.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.consent.ledger import withdrawn
from features.errors import WorkspaceError
from features.shop.shop import Shop
from models.next_purchase.item_pairs import distinct
from models.next_purchase.kept_statistics import KeptStatistics
from models.next_purchase.model import NextPurchaseModel
from models.next_purchase.orders import NEXT_PURCHASE_READS, orders, statistics_at
from models.next_purchase.product_statistics import ProductStatistics
from serving.decisions.permissions import Permissions
from serving.live.champions import Champion, Loaded
from serving.live.reader_process import Reading, read_here

REST = 10
"""Making statistics anew may take this part of the time at the most."""


@dataclass(frozen=True)
class _Made:
    """Statistics read at one position of the ledger, and the products (positions) of everybody
    behind them, by pseudonym.
    """

    statistics: ProductStatistics
    ledger_seq: int
    generation: str
    bought: dict[int, NDArray[np.intp]]

    def without(self, customers: Collection[int]) -> ProductStatistics:
        """The statistics without the pairs that any of `customers` is behind."""
        return self.statistics.without_pairs(
            [self.bought[customer] for customer in customers if customer in self.bought]
        )


@dataclass(frozen=True)
class _Reduced:
    """Statistics without the pairs of who has `gone` up to one position of the ledger."""

    made: _Made
    ledger_seq: int
    gone: frozenset[int]
    statistics: ProductStatistics


class LiveStatistics:
    """Keeps the statistics of one shop."""

    def __init__(
        self, shop: Shop, champion: Champion[NextPurchaseModel], reading: Reading = read_here
    ) -> None:
        self._shop = shop
        self._reading = reading
        self._champion = champion
        self._section = shop.config.models.next_purchase
        self._categories = shop.config.catalog.categories_of(NEXT_PURCHASE_READS)
        self._made: _Made | None = None
        self._reduced: _Reduced | None = None
        self._imagined: _Reduced | None = None
        self._rest_until = 0.0

    def look(self) -> None:
        """Make the statistics anew if there is reason to, but never most of the time."""
        if self._champion.current is None or time.monotonic() < self._rest_until:
            return
        try:
            now = (self._shop.warehouse.generation, self._shop.ledger.position())
            if self._made is None or (self._made.generation, self._made.ledger_seq) != now:
                began = time.monotonic()
                self._made = self._reading(read_statistics, self._shop)
                self._rest_until = time.monotonic() + REST * (time.monotonic() - began)
        except WorkspaceError:
            self._made = None  # nothing was ingested yet, or nothing is left

    def at(self, champion: Loaded[NextPurchaseModel], ledger_seq: int) -> ProductStatistics:
        """Statistics that nobody who withdrew up to `ledger_seq` is behind, as far as pairs of
        products go.
        """
        made = self._made
        return (
            champion.model.maker.statistics.unpaired
            if made is None
            else self._reduced_to(made, ledger_seq).statistics
        )

    def imagined(
        self, champion: Loaded[NextPurchaseModel], permissions: Permissions
    ) -> ProductStatistics:
        """Statistics as they would be under the customer's permissions, who is behind no pair
        once they have withdrawn what counts them.
        """
        made, customer = self._made, permissions.customer
        if made is None or customer is None or not permissions.imagined & self._categories:
            return self.at(champion, permissions.ledger_seq)
        known = self._reduced_to(made, permissions.ledger_seq)
        if customer in known.gone:
            return known.statistics
        kept, gone = self._imagined, known.gone | {customer}
        if kept is None or kept.made is not made or kept.gone != gone:
            kept = _Reduced(made, known.ledger_seq, gone, made.without(gone))
            self._imagined = (
                kept  # the answers to a customer's next questions are imagined with the same ones
            )
        return kept.statistics

    def _reduced_to(self, made: _Made, ledger_seq: int) -> _Reduced:
        """The statistics `made`, reduced by who withdrew since; kept until more of them do."""
        if made.ledger_seq >= ledger_seq:
            return _Reduced(made, made.ledger_seq, frozenset(), made.statistics)
        known = self._reduced
        if known is None or known.made is not made:
            known = _Reduced(made, made.ledger_seq, frozenset(), made.statistics)
        if ledger_seq > known.ledger_seq:
            with self._shop.database.read() as connection:
                more = (
                    withdrawn(
                        connection,
                        self._section.purpose,
                        self._categories,
                        known.ledger_seq,
                        ledger_seq,
                    )
                    - known.gone
                )
            gone = known.gone | more
            known = _Reduced(
                made, ledger_seq, gone, made.without(gone) if more else known.statistics
            )
            self._reduced = known
        return known


def read_statistics(shop: Shop) -> _Made:
    """The statistics as the ledger and the warehouse have them now.

    Raises `WorkspaceError` where nothing was ingested yet, or no order is left.
    """
    section, generation = shop.config.models.next_purchase, shop.warehouse.generation
    gate, now = shop.gate(section.purpose), shop.loaded_until()
    past = orders(gate, now)
    kept = KeptStatistics(shop.workspace.product_statistics)
    statistics = statistics_at(gate, past, now, section.sold_within_days, shop.facts, kept)
    return _Made(statistics, gate.ledger_seq, generation, _bought(past, statistics))


def _bought(past: pd.DataFrame, statistics: ProductStatistics) -> dict[int, NDArray[np.intp]]:
    """By customer, the positions of what they bought, each once."""
    count = len(statistics.product_ids)
    positions = pd.Index(statistics.product_ids).get_indexer(pd.Index(past["product_id"]))
    row, customers = pd.factorize(past["customer"], sort=True)
    known = positions >= 0
    whose, which = np.divmod(distinct(row[known] * count + positions[known]), count)
    begins = np.flatnonzero(np.diff(whose, prepend=-1))
    parts = np.split(which, begins[1:]) if len(begins) else []
    return dict(zip(customers[whose[begins]].tolist(), parts, strict=True))
